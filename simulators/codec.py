"""Turns an event's fields into the bytes of its source's format."""

import base64
import io
import json
import struct
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import fastavro

from millrace.contracts.source import Source
from millrace.errors import ConfigError

Encode = Callable[[dict[str, Any]], bytes]


def encoder(source: Source, schema_id: int | None = None) -> Encode:
    """The function that serialises this source's events; Avro needs the id under which its schema is registered."""
    if source.format == "avro":
        return _avro(source, schema_id)
    to_text = json.JSONEncoder(separators=(",", ":"), default=_json_value).encode
    return lambda fields: to_text(fields).encode()


def _avro(source: Source, schema_id: int | None) -> Encode:
    """Confluent's wire format: a zero byte, the schema's id, the record."""
    if schema_id is None:
        raise ConfigError(f"{source.folder}/source.yaml: avro needs the id of its schema in the registry")
    schema, head = fastavro.parse_schema(json.loads(source.record.text)), struct.pack(">bI", 0, schema_id)

    def encode(fields: dict[str, Any]) -> bytes:
        body = io.BytesIO(head)
        body.seek(len(head))
        fastavro.schemaless_writer(body, schema, fields)
        return body.getvalue()

    return encode


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
