"""Writers whose numbers mean something else than the contract's."""

import json
from typing import Any

import pytest

from millrace.contracts.avro_units import other_units

MICROS, MILLIS = ({"type": "long", "logicalType": f"timestamp-{unit}"} for unit in ("micros", "millis"))
POINT = {"type": "record", "name": "Point", "fields": [{"name": "at", "type": ["null", MICROS]}]}
POINT_IN_MILLIS = POINT | {"fields": [{"name": "at", "type": ["null", MILLIS]}]}


def decimal(scale: int, precision: int = 9) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def schema(kind: Any, **more: Any) -> str:
    fields = [{"name": "more", "type": "string"}] if more else []
    return json.dumps({"type": "record", "name": "R", "fields": [*fields, {"name": "x", "type": kind}]})


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (MICROS, MICROS),
        (["null", MICROS], MICROS),
        ("long", MICROS),
        (MICROS, "long"),
        ({"type": "long", "logicalType": "local-timestamp-micros"}, MICROS),
        ("int", "long"),
        (decimal(2, 12), decimal(2)),
        (POINT, ["null", POINT]),
        ({"type": "array", "items": "long"}, {"type": "array", "items": MICROS}),
        (["int", "string"], "string"),
    ],
)
def test_the_same_units(writer: Any, reader: Any) -> None:
    assert other_units(schema(writer, more=True), schema(reader)) is None


@pytest.mark.parametrize(
    ("writer", "reader", "told"),
    [
        (MILLIS, MICROS, "field 'x' as timestamp-millis, the contract has timestamp-micros"),
        (["null", MILLIS], MICROS, "field 'x' as"),
        (decimal(3), decimal(2), "field 'x' as decimal of scale 3, the contract has decimal of scale 2"),
        ({"type": "int", "logicalType": "time-millis"}, {"type": "int", "logicalType": "date"}, "as time-millis"),
        (POINT_IN_MILLIS, ["null", POINT], "field 'x.at' as"),
        ({"type": "array", "items": MILLIS}, {"type": "array", "items": MICROS}, "field 'x[]' as"),
        ({"type": "map", "values": [POINT_IN_MILLIS, "null"]}, {"type": "map", "values": POINT}, "field 'x[].at' as"),
    ],
)
def test_other_units(writer: Any, reader: Any, told: str) -> None:
    assert told in str(other_units(schema(writer, more=True), schema(reader)))


def test_a_record_that_is_named_again() -> None:
    fields = [{"name": "first", "type": POINT_IN_MILLIS}, {"name": "second", "type": "Point"}]
    reads = [{"name": "second", "type": ["null", POINT]}]
    writer, reader = (json.dumps({"type": "record", "name": "R", "fields": f}) for f in (fields, reads))
    assert told(writer, reader) == "second.at"


def told(writer: str, reader: str) -> str:
    return str(other_units(writer, reader)).split("'")[1]
