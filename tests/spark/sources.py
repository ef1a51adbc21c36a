"""Sources of a test's own, made of nothing but the fields of their record."""

import json
from pathlib import Path
from typing import Any

from millrace.contracts.avro import read_record
from millrace.contracts.source import Source, source_from


def source_with(domain: Path, name: str, fields: list[dict[str, Any]]) -> Source:
    """A JSON source with these fields, among them `id` and `at`."""
    folder = domain / name
    folder.mkdir()
    record = {"type": "record", "name": name.capitalize(), "fields": fields}
    (folder / "event.avsc").write_text(json.dumps(record))
    contract = {"owner": "x", "description": "x", "topic": {"name": name}, "event": {"id": "id", "time": "at"}}
    return source_from(contract, folder, read_record(folder / "event.avsc"))
