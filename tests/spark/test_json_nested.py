"""Fields inside fields: as strict as those of the record itself, and what the contract does not know is kept."""

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from millrace.contracts.source import Source
from spark_jobs.transforms.bronze import bad_records
from spark_jobs.transforms.decode import decode, explain
from tests.spark.sources import source_with

AT = {"type": "long", "logicalType": "timestamp-micros"}
PART = {
    "type": "record", "name": "Part", "fields": [
        {"name": "x", "type": "int"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "at", "type": ["null", AT], "default": None},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
        {"name": "real", "type": ["null", "float"], "default": None},
        {"name": "color", "type": ["null", {"type": "enum", "name": "Color", "symbols": ["red", "blue"]}]},
        {"name": "names", "type": ["null", {"type": "array", "items": "string"}], "default": None},
    ],
}  # fmt: skip
FIELDS = [
    {"name": "id", "type": "string"},
    {"name": "at", "type": AT},
    {"name": "part", "type": ["null", PART], "default": None},
    {"name": "parts", "type": ["null", {"type": "array", "items": "Part"}], "default": None},
    {"name": "by_name", "type": ["null", {"type": "map", "values": ["null", "Part"]}], "default": None},
    {"name": "numbers", "type": ["null", {"type": "array", "items": ["null", "int"]}], "default": None},
    {"name": "deep", "type": ["null", {"type": "record", "name": "Deep", "fields": [
        {"name": "parts", "type": {"type": "array", "items": "Part"}},
    ]}], "default": None},
]  # fmt: skip
FULL: dict[str, Any] = {
    "x": 1, "note": "5", "at": "2026-01-01T12:00:00Z", "day": "2026-01-31", "real": 1.5, "color": "red",
    "names": ["1", ""],
}  # fmt: skip
GOOD: list[dict[str, Any]] = [
    {},
    {"part": {"x": 1}},
    {"part": FULL, "parts": [FULL, {"x": 2}], "by_name": {"": FULL, "b": None}, "deep": {"parts": [FULL]}},
    {"part": None, "parts": [], "by_name": {}, "numbers": [1, None], "deep": {"parts": []}},
    {"part": FULL | dict.fromkeys(["note", "at", "day", "real", "color", "names"])},
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": None}, ".x: expected int, found nothing"),
    ({"note": 5}, ".note: expected string, found 5"),
    ({"note": [1]}, ".note: expected string, found [1]"),
    ({"at": 5}, ".at: expected ISO-8601 timestamp, found 5"),
    ({"at": "12:00"}, '.at: expected ISO-8601 timestamp, found "12:00"'),
    ({"at": "0001-01-01T00:00:00Z"}, ".at: expected 1900-01-01 to 2299-01-01, found 0001-01-01 00:00:00"),
    ({"day": "2026"}, '.day: expected date like 2026-01-31, found "2026"'),
    ({"real": 1e39}, ".real: expected float, found"),
    ({"color": "green"}, ".color: expected one of red, blue, found green"),
    ({"color": True}, ".color: expected string, found true"),
    ({"names": ["a", 1]}, ".names[]: expected string, found 1"),
    ({"names": ["a", None]}, ".names[]: expected string, found nothing"),
]
COARSE: list[dict[str, Any]] = [{"part": {"x": "1"}}, {"parts": {"x": 1}}, {"part": [1]}, {"by_name": {"a": 5}}]
"""What Spark's parser itself refuses: the whole field is shown then."""
UNKNOWN: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"part": {"x": 1}}, None),
    ({"part": {"x": 1, "extra": "y"}}, {"part.extra": "y"}),
    ({"part": {"x": 1, "extra": {"a": [None]}}, "more": 1}, {"more": 1, "part.extra": {"a": [None]}}),
    ({"parts": [{"x": 1}, {"x": 2, "e": 3}]}, {"parts[1].e": 3}),
    ({"by_name": {"k": {"x": 1, "e": None}, "n": None}}, {"by_name.k.e": None}),
    ({"deep": {"parts": [{"x": 1, "e": 1}], "f": 2}}, {"deep.f": 2, "deep.parts[0].e": 1}),
    (
        {"part": {"x": 1, "e": 1}, "part.e": 2},
        {"part.e": 2, "part": {"x": 1, "e": 1}, "parts": None, "by_name": None, "deep": None},
    ),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_with(tmp_path_factory.mktemp("lab"), "nested", FIELDS)


def records(spark: SparkSession, members: list[dict[str, Any]]):
    whole = [{"id": "a", "at": "2026-01-01T12:00:00Z"} | more for more in members]
    rows = [(n, bytearray(json.dumps(one).encode())) for n, one in enumerate(whole)]
    return spark.createDataFrame(rows, "n int, value binary")


def test_what_fits(spark: SparkSession, source: Source) -> None:
    rows = decode(records(spark, GOOD), source).orderBy("n").collect()
    assert [row.good for row in rows] == [True] * len(GOOD)
    assert [row.unknown_fields for row in rows] == [None] * len(GOOD)
    assert rows[2].event["deep"]["parts"][0]["names"] == ["1", ""]


def test_what_does_not_fit_is_refused_with_a_reason(spark: SparkSession, source: Source) -> None:
    cases = [
        (members, f"{field}: {where}{reason}")
        for change, reason in WRONG
        for field, where, members in _everywhere({"x": 1} | change)
    ]
    cases += [(members, next(iter(members)) + ": expected ") for members in COARSE]
    rows = explain(bad_records(decode(records(spark, [members for members, _ in cases]), source)), source).collect()
    found = {row.n: row.reason for row in rows}
    assert [c for n, c in enumerate(cases) if not found.get(n, "good").startswith(c[1])] == [], found


def _everywhere(part: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("part", "", {"part": part}),
        ("parts", "[]", {"parts": [{"x": 1}, part]}),
        ("by_name", "[]", {"by_name": {"a": {"x": 1}, "b": part}}),
        ("deep", ".parts[]", {"deep": {"parts": [part]}}),
    ]


def test_unknown_fields_inside_are_kept_by_their_paths(spark: SparkSession, source: Source) -> None:
    rows = decode(records(spark, [members for members, _ in UNKNOWN]), source).orderBy("n").collect()
    assert [row.good for row in rows] == [True] * len(UNKNOWN)
    assert [row.unknown_fields and json.loads(row.unknown_fields) for row in rows] == [kept for _, kept in UNKNOWN]
