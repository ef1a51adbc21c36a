"""Turns an event's fields into the bytes of its source's format."""

import base64
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from millrace.contracts.source import Source
from millrace.errors import ConfigError

Encode = Callable[[dict[str, Any]], bytes]


def encoder(source: Source) -> Encode:
    """The function that serialises this source's events."""
    if source.format != "json":
        raise ConfigError(f"{source.folder}/source.yaml: the simulators write json so far, not {source.format}")
    to_text = json.JSONEncoder(separators=(",", ":"), default=_json_value).encode
    return lambda fields: to_text(fields).encode()


def _json_value(value: object) -> object:
    """JSON for the types that it lacks, in the form in which landing reads them."""
    match value:
        case datetime():
            return value.isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")
