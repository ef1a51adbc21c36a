"""Decimals in JSON: the value that was written, wherever it lies, and nothing that keeps a core busy."""

from decimal import Decimal

import pytest
from pyspark.sql import Column, DataFrame, SparkSession, functions as F

from millrace.contracts.shapes import shapes
from millrace.contracts.source import Source
from spark_jobs.transforms import json_decimals
from spark_jobs.transforms.bronze import bad_records
from spark_jobs.transforms.decode import decode, explain
from tests.spark.sources import source_with

LARGE = "12345678901234567890.1234567890"
MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
PART = {
    "type": "record", "name": "Part", "fields": [
        {"name": "price", "type": ["null", MONEY]},
        {"name": "note", "type": ["null", "string"]},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
    ],
}  # fmt: skip
FIELDS = [
    {"name": "id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    *[
        {"name": name, "type": ["null", kind], "default": None}
        for name, kind in {
            "price": MONEY,
            "large": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 10},
            "prices": {"type": "array", "items": ["null", MONEY]},
            "by_name": {"type": "map", "values": ["null", MONEY]},
            "part": PART,
            "lists": {"type": "map", "values": {"type": "array", "items": "Part"}},
        }.items()
    ],
]
WHERE = {
    "price": "%s", "prices": "[1, %s]", "by_name": '{"a": 1, "b": %s}', "part": '{"price": %s}',
    "lists": '{"a": [{"price": 1}, {"price": %s}]}',
}  # fmt: skip
VALUES = {
    "1": "1.00", "1.10": "1.10", '"1.10"': "1.10", "-0.05": "-0.05", "1e3": "1000.00", '"1E-2"': "0.01",
    "-1.5e+2": "-150.00", "99999999.99": "99999999.99", "1.005": "1.01", "1e-300": "0.00", "-1e-600000000": "0.00",
    "0E-10": "0.00", "0." + "0" * 998 + "1": "0.00", "null": None,
}  # fmt: skip
HOPELESS = ["1e600000000", '"+1e600000000"', '".5e600000000"', '"1,e600000000"', r'"\u0031e600000000"']
COMMAS_AND_SIGNS = ['"1,50"', '"+1.5"', '".5"', '"5."', '" 1"', '"\u0661"', '""']
NOT_DECIMAL = [*HOPELESS, *COMMAS_AND_SIGNS, "true", "[]", "100000000", "1e400"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_with(tmp_path_factory.mktemp("lab"), "priced", FIELDS)


def records(spark: SparkSession, members: list[tuple[str, str]]) -> DataFrame:
    """Of each field's name and JSON text a record, numbered."""
    texts = [f'{{"id": "a", "at": "2026-01-01T12:00:00Z", "{name}": {text}}}' for name, text in members]
    return spark.createDataFrame([(n, bytearray(text.encode())) for n, text in enumerate(texts)], "n int, value binary")


def read(spark: SparkSession, source: Source, name: str, value: Column) -> list[Decimal | str | None]:
    rows = decode(records(spark, [(name, WHERE[name] % text) for text in VALUES]), source)
    found = rows.select("n", "good", value.alias("v")).orderBy("n").collect()
    return [row.v if row.good else "refused" for row in found]


def test_the_value_is_the_one_that_was_written(spark: SparkSession, source: Source) -> None:
    event, wanted = F.col("event"), [Decimal(value) if value is not None else None for value in VALUES.values()]
    assert read(spark, source, "price", event["price"]) == wanted
    assert read(spark, source, "prices", event["prices"][1]) == wanted
    assert read(spark, source, "by_name", event["by_name"]["b"]) == wanted
    assert read(spark, source, "part", event["part"]["price"]) == wanted
    assert read(spark, source, "lists", event["lists"]["a"][1]["price"]) == wanted


def test_not_one_digit_is_lost(spark: SparkSession, source: Source) -> None:
    texts = [LARGE, f'"{LARGE}"', f"{LARGE}00e-2", f"{LARGE}00000000000"]
    rows = decode(records(spark, [("large", text) for text in texts]), source).orderBy("n").collect()
    tenth = Decimal("123456789012345678.9012345679")
    assert [(row.good, row.event["large"]) for row in rows] == [
        (True, Decimal(LARGE)), (True, Decimal(LARGE)), (True, tenth), (True, Decimal(LARGE)),
    ]  # fmt: skip


def test_what_lies_beside_a_decimal_stays(spark: SparkSession, source: Source) -> None:
    parts = [
        '{"price": 1.5, "note": "1e9999", "at": "2026-01-01T12:00:00.000001Z"}',
        '{"note": "x"}',
        "null",
    ]
    rows = decode(records(spark, [("part", part) for part in parts]), source).orderBy("n").collect()
    assert [row.good for row in rows] == [True, True, True]
    assert [row.event["part"] and (row.event["part"]["price"], row.event["part"]["note"]) for row in rows] == [
        (Decimal("1.50"), "1e9999"), (None, "x"), None,
    ]  # fmt: skip
    assert rows[0].event["part"]["at"].microsecond == 1
    assert (rows[0].event["prices"], rows[0].event["by_name"], rows[0].event["lists"]) == (None, None, None)


def test_what_is_no_decimal_is_refused_at_once(spark: SparkSession, source: Source) -> None:
    """Spark would need hours for one of the first."""
    cases = [(name, WHERE[name] % text) for name in WHERE for text in NOT_DECIMAL]
    rows = explain(bad_records(decode(records(spark, cases), source)), source).collect()
    found = {row.n: row.reason for row in rows}
    assert [c for n, c in enumerate(cases) if not found.get(n, "good").startswith(f"{c[0]}: expected ")] == [], found


def test_decimals_keep_their_types(spark: SparkSession, source: Source) -> None:
    event = decode(records(spark, []), source).schema["event"].dataType
    assert [field.dataType.simpleString() for field in event] == [  # type: ignore[attr-defined]
        field.spark_type.replace("`", "") for field in source.record.fields
    ]


def test_without_decimals_nothing_is_added(spark: SparkSession, user_events: Source) -> None:
    raw = F.col("x")
    assert all(json_decimals.typed(shape, raw) is raw for shape in shapes(user_events.record.text))
