"""Avro records in Confluent's wire format, written by an older, the current and a newer producer."""

import io
import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pyspark.sql import Row, SparkSession, functions as F

from millrace.contracts.avro import read_record
from millrace.contracts.source import Source, source_from
from spark_jobs.transforms.decode import decode, explain

TIME = {"type": "long", "logicalType": "timestamp-micros"}
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string"},
    {"name": "at", "type": TIME},
    {"name": "price", "type": "double"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}},
    {"name": "note", "type": ["null", "string"], "default": None},
]
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def schema(fields: list[dict[str, Any]]) -> str:
    return json.dumps({"type": "record", "name": "Booking", "fields": fields})


OLD, CURRENT, NEWER = (
    schema(FIELDS[:4]),
    schema(FIELDS),
    schema([*FIELDS, {"name": "seat", "type": "int"}]),
)
IN_MILLISECONDS = schema(
    [f | {"type": TIME | {"logicalType": "timestamp-millis"}} if f["name"] == "at" else f for f in FIELDS]
)
SCHEMAS = {1: OLD, 2: CURRENT, 3: NEWER, 4: IN_MILLISECONDS}
PART: dict[str, Any] = {"type": "record", "name": "Part", "fields": [
    {"name": "note", "type": ["null", "string"], "default": None},
    {"name": "real", "type": "double", "default": 0.0},
    {"name": "at", "type": ["null", TIME], "default": None},
]}  # fmt: skip
NESTED = schema(
    [
        *FIELDS[:2],
        {"name": "part", "type": ["null", PART], "default": None},
        {"name": "parts", "type": {"type": "array", "items": ["null", "Part"]}, "default": []},
        {"name": "by_name", "type": {"type": "map", "values": "Part"}, "default": {}},
        {"name": "names", "type": {"type": "array", "items": "string"}, "default": []},
        {"name": "deep", "type": {"type": "map", "values": {"type": "array", "items": "string"}}, "default": {}},
    ]
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(tmp_path_factory.mktemp("travel"), CURRENT)


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(tmp_path_factory.mktemp("travel"), NESTED)


def source_of(domain: Path, text: str) -> Source:
    folder = domain / "bookings"
    folder.mkdir()
    (folder / "event.avsc").write_text(text)
    contract = {
        "owner": "x", "description": "x", "topic": {"name": "bookings"}, "format": "avro",
        "event": {"id": "id", "time": "at"},
    }  # fmt: skip
    return source_from(contract, folder, read_record(folder / "event.avsc"))


def record(number: int, text: str, **values: Any) -> bytes:
    body = io.BytesIO()
    event = {"id": "1", "at": AT, "price": 2.5, "kind": "a", **values}
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(text)), event)
    return b"\0" + struct.pack(">I", number) + body.getvalue()


GOOD = [record(1, OLD), record(2, CURRENT, note="hi"), record(3, NEWER, note=None, seat=7)]
BROKEN = "no record of schema id 2: broken, cut off, or bytes after its end"
WHOLE = record(2, CURRENT, note="hi")
LONG = record(2, CURRENT, note="x" * 1_048_576)
HUGE = b"\xfe\xff\xff\xff\x0f"
"""The length 2,147,483,647, as Avro writes it."""
BAD: dict[bytes | None, str] = {
    None: "no value (a tombstone)",
    b"": "not in Confluent's wire format",
    b"{}": "not in Confluent's wire format",
    b"\1" + WHOLE[1:]: "not in Confluent's wire format",
    record(4, IN_MILLISECONDS): "schema id 4 has field 'at' as timestamp-millis, the contract has timestamp-micros",
    record(9, CURRENT): "the registry has no schema id 9",
    record(2**32 - 1, CURRENT): "the registry has no schema id 4294967295",
    WHOLE + b"\0": BROKEN,
    WHOLE + WHOLE: BROKEN,
    b"\0\0\0\0\2" + HUGE: BROKEN,
    b"\0\0\0\0\2" + HUGE + WHOLE[6:]: BROKEN,
    b"\0\0\0\0\2" + b"\xff" * 12: BROKEN,
    WHOLE[:5] + b"\4\xff\xff" + WHOLE[7:]: "id: expected string, found bytes that are not UTF-8",
    LONG: f"record of {len(LONG)} bytes, the contract allows 1048576",
    record(2, CURRENT, price=float("nan")): "price: expected double, found NaN",
    record(2, CURRENT, price=float("-inf")): "price: expected double, found -Infinity",
    record(2, CURRENT, at=datetime(9000, 1, 1, tzinfo=UTC)): (
        "at: expected 1970-01-01 to 2100-01-01, found 9000-01-01 00:00:00"
    ),
    **{WHOLE[:cut]: BROKEN for cut in range(6, len(WHOLE))},
}


WRONG_PART: list[tuple[dict[str, Any], str]] = [
    ({"note": "MARK"}, ".note: expected string, found bytes that are not UTF-8"),
    ({"real": float("nan")}, ".real: expected double, found NaN"),
    ({"real": float("-inf")}, ".real: expected double, found -Infinity"),
    ({"at": datetime(1800, 1, 1, tzinfo=UTC)}, ".at: expected 1900-01-01 to 2299-01-01, found 1800-01-01 00:00:00"),
]
GOOD_PART: dict[str, Any] = {"note": "ä", "real": -0.5, "at": datetime(1900, 1, 1, tzinfo=UTC)}
GOOD_NESTED: list[dict[str, Any]] = [
    {},
    {"part": GOOD_PART, "parts": [None, GOOD_PART], "by_name": {"ä": GOOD_PART}, "names": ["", "ä"], "deep": {"": []}},
    {"part": {}, "deep": {"a": ["x"], "b": []}},
]
WRONG_NESTED: list[tuple[dict[str, Any], str]] = [
    *[({"part": part}, f"part: {reason}") for part, reason in WRONG_PART],
    *[({"parts": [None, {}, part]}, f"parts: []{reason}") for part, reason in WRONG_PART],
    *[({"by_name": {"a": {}, "b": part}}, f"by_name: []{reason}") for part, reason in WRONG_PART],
    ({"by_name": {"a": {}, "MARK": {}}}, "by_name: []: expected string as key, found bytes that are not UTF-8"),
    ({"names": ["a", "MARK"]}, "names: []: expected string, found bytes that are not UTF-8"),
    ({"deep": {"MARK": []}}, "deep: []: expected string as key, found bytes that are not UTF-8"),
    ({"deep": {"a": [], "b": ["x", "MARK"]}}, "deep: [][]: expected string, found bytes that are not UTF-8"),
]
"""MARK stands for four bytes that are no UTF-8."""


def test_what_lies_inside_is_held_to_the_contract_too(spark: SparkSession, nested: Source) -> None:
    events = [*GOOD_NESTED, *(members for members, _ in WRONG_NESTED)]
    values = [
        (n, bytearray(record(1, NESTED, **e).replace(b"MARK", b"\xff\xfe\xff\xfe"))) for n, e in enumerate(events)
    ]
    df = spark.createDataFrame(values, "n int, value binary")
    good = [row.n for row in decode(df, nested, {1: NESTED}).where("good").collect()]
    assert sorted(good) == list(range(len(GOOD_NESTED)))
    told = explain(df.where(~F.col("n").isin(good)), nested, {1: NESTED}).orderBy("n").collect()
    assert [row.reason for row in told] == [reason for _, reason in WRONG_NESTED]


def test_each_writer_is_read_into_the_contract(spark: SparkSession, source: Source) -> None:
    df = spark.createDataFrame([(n, bytearray(v)) for n, v in enumerate(GOOD)], "n int, value binary")
    rows: list[Row] = (
        decode(df, source, SCHEMAS)
        .select("n", "good", "unknown_fields", "event.id", "event.note", F.col("event.at").cast("string").alias("at"))
        .orderBy("n")
        .collect()
    )
    assert [(r.good, r.id, r.note, r.at) for r in rows] == [
        (True, "1", None, "2026-01-01 12:00:00"),
        (True, "1", "hi", "2026-01-01 12:00:00"),
        (True, "1", None, "2026-01-01 12:00:00"),
    ]
    assert [r.unknown_fields for r in rows] == [None, None, '{"seat":7}']


def test_bad_records_are_told_why(spark: SparkSession, source: Source) -> None:
    values = [(n, bytearray(v) if v is not None else None) for n, v in enumerate(BAD)]
    df = spark.createDataFrame(values, "n int, value binary")
    assert not any(row.good for row in decode(df, source, SCHEMAS).select("good").collect())
    assert [r.reason for r in explain(df, source, SCHEMAS).orderBy("n").collect()] == list(BAD.values())


def test_without_schemas_nothing_is_read(spark: SparkSession, source: Source) -> None:
    df = spark.createDataFrame([(bytearray(GOOD[0]),)], "value binary")
    assert decode(df, source).collect()[0].good is False
