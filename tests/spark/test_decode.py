"""Decoding against the contract of `user_events`: what passes, what does not, and in which words."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession, functions as F

from millrace.contracts.catalog import read_catalog
from millrace.contracts.columns import bronze_columns, live_columns
from millrace.contracts.source import Source
from millrace.errors import ConfigError
from millrace.settings import ROOT
from spark_jobs.transforms.bronze import bad_records, bronze_rows, quarantine_columns, quarantine_rows
from spark_jobs.transforms.decode import decode, explain
from spark_jobs.transforms.live_rows import GOOD, live_rows
from spark_jobs.transforms.pii import pseudonym
from spark_jobs.transforms.windowed import timely
from tests.spark.poison import EVENT

ABSENT = object()
KAFKA = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp, "
    "headers array<struct<key: string, value: binary>>"
)
APPENDED = datetime(2026, 1, 1, 12, 34, 56, 789_000, tzinfo=UTC)


def event(**changes: Any) -> bytes:
    return json.dumps({k: v for k, v in {**EVENT, **changes}.items() if v is not ABSENT}).encode()


ACCEPTED: dict[str, bytes] = {
    "plain": event(),
    "with space around": b" \n" + event() + b"\n ",
    "Z for UTC": event(timestamp="2026-01-01T12:00:00Z"),
    "another offset, nanoseconds": event(timestamp="2026-01-01T17:30:00.000000123+05:30"),
    "no offset": event(timestamp="2026-01-01T12:00:00"),
    "text that looks like a number": event(page="5"),
    "text that looks like a list": event(page="[1"),
    "a brace in a text": event(page="/}/{"),
    "null character in a text": event(page="\0"),
    "deep below an unknown field": event(deep=json.loads("[" * 99 + "]" * 99)),
}
REFUSED: dict[str, tuple[bytes | None, str]] = {
    "tombstone": (None, "no value (a tombstone)"),
    "empty": (b"", "empty value"),
    "blank": (b"  ", "empty value"),
    "not UTF-8": (b'{"event_id": "\xff"}', "not UTF-8"),
    "cut off": (event()[:-5], "not a JSON object: broken, or cut off"),
    "a list": (b"[" + event() + b"]", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "too deep": (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested deeper than 100 levels"),
    "byte order mark": (b"\xef\xbb\xbf" + event(), "not a JSON object: it starts with a byte order mark"),
    "two objects": (event() + event(), "not one whole JSON object: text after its end, or an error in it"),
    "rubbish after it": (event() + b" x", "not one whole JSON object: text after its end, or an error in it"),
    "text for a number": (event(user_id="12abc"), 'user_id: expected int, found "12abc"'),
    "digits in quotes": (event(user_id="12"), 'user_id: expected int, found "12"'),
    "a fraction": (event(user_id=1.5), "user_id: expected int, found 1.5"),
    "a boolean": (event(user_id=True), "user_id: expected int, found true"),
    "too large": (event(user_id=2**40), f"user_id: expected int, found {2**40}"),
    "NaN": (event(user_id=float("nan")), "not a JSON object: broken, or cut off"),
    "null for a field": (event(user_id=None), "user_id: expected int, found nothing"),
    "field missing": (event(user_id=ABSENT), "user_id: expected int, found nothing"),
    "number for a text": (event(page=5), "page: expected string, found 5"),
    "object for a text": (event(page={"a": 1}), 'page: expected string, found {"a":1}'),
    "number for the id": (event(event_id=7), "event_id: expected string, found 7"),
    "unknown symbol": (
        event(event_type="view"), "event_type: expected one of login, click, purchase, logout, found view",
    ),
    "NUL in a symbol": (
        event(source="a\0, found nothing"), "source: expected one of web, mobile, found a\ufffd, found nothing",
    ),
    "epoch number": (event(timestamp=1704110400), "timestamp: expected ISO-8601 timestamp, found 1704110400"),
    "time only": (event(timestamp="12:00"), 'timestamp: expected ISO-8601 timestamp, found "12:00"'),
    "no such day": (
        event(timestamp="2026-02-31T12:00:00Z"),
        'timestamp: expected ISO-8601 timestamp, found "2026-02-31T12:00:00Z"',
    ),
    "year 1": (
        event(timestamp="0001-01-01T00:00:00Z"),
        "timestamp: expected 1970-01-01 to 2100-01-01, found 0001-01-01 00:00:00",
    ),
    "year 9999": (
        event(timestamp="9999-12-31T23:59:59Z"),
        "timestamp: expected 1970-01-01 to 2100-01-01, found 9999-12-31 23:59:59",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def source() -> Source:
    return read_catalog(ROOT).source("user_events")


def kafka(spark: SparkSession, values: Sequence[bytes | None]) -> DataFrame:
    rows = [
        (b"k", bytearray(v) if v is not None else None, "user-events", 2, n, APPENDED, [("trace", b"1")])
        for n, v in enumerate(values)
    ]
    return spark.createDataFrame(rows, KAFKA)


@pytest.fixture(scope="module")
def decoded(spark: SparkSession, source: Source) -> dict[str, Row]:
    """Every case of both tables, in one job."""
    values = [*ACCEPTED.values(), *(value for value, _ in REFUSED.values())]
    rows = (
        decode(kafka(spark, values), source)
        .select("offset", "good", "unknown_fields", F.col("event")["timestamp"].cast("string").alias("at"))
        .collect()
    )
    by_offset = {row.offset: row for row in rows}
    return {name: by_offset[n] for n, name in enumerate([*ACCEPTED, *REFUSED])}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted(decoded: dict[str, Row], case: str) -> None:
    assert decoded[case].good is True
    assert decoded[case].at == "2026-01-01 12:00:00"


@pytest.mark.parametrize("case", REFUSED)
def test_refused(decoded: dict[str, Row], case: str) -> None:
    assert decoded[case].good is False
    assert decoded[case].unknown_fields is None


def test_refused_with_a_reason(spark: SparkSession, source: Source) -> None:
    rows = explain(kafka(spark, [value for value, _ in REFUSED.values()]), source).orderBy("offset").collect()
    assert {name: row.reason for name, row in zip(REFUSED, rows, strict=True)} == {
        n: r for n, (_, r) in REFUSED.items()
    }


def test_unknown_fields_are_kept_as_they_came(spark: SparkSession, source: Source) -> None:
    extra = {"campaign": {"id": 5, "tags": ["a", None]}, "score": 0.5, "ref": "5"}
    rows = decode(kafka(spark, [event(**extra), event()]), source).orderBy("offset").collect()
    assert json.loads(rows[0].unknown_fields) == extra
    assert rows[1].unknown_fields is None


def test_every_record_is_in_bronze_or_in_quarantine(spark: SparkSession, source: Source) -> None:
    values = [*ACCEPTED.values(), *(value for value, _ in REFUSED.values())]
    rows = decode(kafka(spark, values), source)
    bronze, quarantine = bronze_rows(rows, source), quarantine_rows(bad_records(rows), source)
    assert bronze.count() == len(ACCEPTED)
    assert quarantine.count() == len(REFUSED)
    assert bronze.columns == [c.name for c in bronze_columns(source)]
    assert quarantine.columns == [c.name for c in quarantine_columns()]


def test_quarantine_keeps_the_original_bytes(spark: SparkSession, source: Source) -> None:
    row = quarantine_rows(bad_records(decode(kafka(spark, [b"\xff\x00"]), source)), source).collect()[0]
    assert (bytes(row.key), bytes(row.value)) == (b"k", b"\xff\x00")
    assert json.loads(row.headers) == [{"key": "trace", "value": "MQ=="}]
    assert (row.kafka_topic, row.kafka_partition, row.kafka_offset) == ("user-events", 2, 0)
    assert row.stage == "landing"


def test_the_hour_of_bronze_is_that_of_the_broker(spark: SparkSession, source: Source) -> None:
    rows = bronze_rows(decode(kafka(spark, [event()]), source), source)
    assert rows.select(F.col("append_hour").cast("string")).collect()[0][0] == "2026-01-01 12:00:00"


def test_the_moment_of_a_batch_is_no_number_in_its_plan(
    spark: SparkSession, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be one in the generated code, which would then be compiled for each batch."""
    records = kafka(spark, [event()]).crossJoin(spark.range(1)).drop("id")
    bronze_rows(decode(records, source), source).explain(mode="extended")
    optimized = capsys.readouterr().out.split("== Optimized Logical Plan ==")[1]
    assert "timestamp_micros(" in optimized


class TestPseudonyms:
    @pytest.mark.parametrize("key", [b"short", b"k" * 64, b"longer than a block " * 5])
    def test_are_those_of_python(self, spark: SparkSession, key: bytes) -> None:
        values = ["123", "", "ünï", None]
        df = spark.createDataFrame([(n, v) for n, v in enumerate(values)], "n int, v string")
        found = [row.p for row in df.select("n", pseudonym(F.col("v"), key).alias("p")).orderBy("n").collect()]
        assert found == [v if v is None else hmac.new(key, v.encode(), hashlib.sha256).hexdigest() for v in values]

    def test_no_key_no_pseudonyms(self) -> None:
        with pytest.raises(ConfigError, match="MILLRACE_PSEUDONYM_KEY"):
            pseudonym(F.lit("x"), b"")

    def test_live_rows_hold_no_person(self, spark: SparkSession, source: Source) -> None:
        rows = live_rows(decode(kafka(spark, [event()]), source), source, b"key")
        assert [c for c in rows.columns if not c.startswith("_")] == [c.name for c in live_columns(source)]
        assert rows.collect()[0].user_id == hmac.new(b"key", b"123", hashlib.sha256).hexdigest()


def test_a_clock_that_is_fast_does_not_move_the_watermark(spark: SparkSession, source: Source) -> None:
    late, soon, far = "2026-01-01T10:00:00Z", "2026-01-01T12:36:00Z", "2026-01-01T12:38:00Z"
    values = [event(timestamp=at) for at in (late, soon, far)] + [b"bad"]
    rows = timely(live_rows(decode(kafka(spark, values), source), source, b"key").where(GOOD), source)
    assert sorted(row.kafka_offset for row in rows.collect()) == [0, 1]
