"""What lies inside the fields of a schema, however it is written."""

import json
from pathlib import Path

from millrace.contracts.avro import read_record
from millrace.contracts.shapes import shapes

COLOR = {"type": "enum", "name": "Color", "symbols": ["red", "blue"]}
POINT = {"type": "record", "name": "Point", "fields": [{"name": "color", "type": ["null", COLOR]}]}
FIELDS = [
    {"name": "plain", "type": "string"},
    {"name": "point", "type": POINT},
    {"name": "again", "type": ["null", "Point"]},
    {"name": "color", "type": "Color"},
    {"name": "list", "type": {"type": "array", "items": ["null", "Point"]}},
    {"name": "map", "type": {"type": "map", "values": {"type": "long", "logicalType": "timestamp-micros"}}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1}},
    {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 2}},
]


def test_shapes(tmp_path: Path) -> None:
    path = tmp_path / "event.avsc"
    path.write_text(json.dumps({"type": "record", "name": "R", "fields": FIELDS}))
    record = read_record(path)
    found = {shape.column.name: shape for shape in shapes(record.text)}
    assert [s.column.spark_type for s in found.values()] == [f.spark_type for f in record.fields]
    assert [s.column.nullable for s in found.values()] == [f.nullable for f in record.fields]
    assert [s.column.symbols for s in found.values()] == [f.symbols for f in record.fields]
    assert [name for name, shape in found.items() if shape.holds_records] == ["point", "again", "list"]
    assert found["point"].fields == found["again"].fields
    (color,) = found["point"].fields
    assert (color.column.nullable, color.column.symbols) == (True, ("red", "blue"))
    items, values = found["list"].items, found["map"].items
    assert items is not None
    assert values is not None
    assert (items.column.nullable, items.fields) == (True, found["point"].fields)
    assert (values.column.nullable, values.column.spark_type) == (False, "timestamp")
