"""Hostile records among good ones: each in quarantine with its reason, and the neighbours unharmed."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from millrace.contracts.columns import live_columns
from millrace.contracts.source import Source
from spark_jobs.transforms.bronze import bad_records, bronze_rows, quarantine_rows
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.live_rows import GOOD, live_rows
from tests.spark import poison
from tests.spark.cases import RECORDS
from tests.spark.poison import Poison

NEIGHBOURS = 3
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEADERS: list[list[tuple[str, bytes | None]] | None] = [None, [], [("", None)], [("h", b"\xff\x00" * 5000)]]
KEYS = [None, b"", b"\xff\x00\xfe", b"k" * 100_000]
ARROW = {"String": pa.types.is_string, "Int32": pa.types.is_int32, "DateTime64(6, 'UTC')": pa.types.is_timestamp}


def among_good(spark: SparkSession, source: Source, poisons: Sequence[Poison], good: bytes) -> DataFrame:
    """Kafka records: the poisons at even offsets, a good neighbour after each; odd keys and headers all over."""
    values = [value for one in poisons for value in (one.value, good)]
    rows = [
        (KEYS[n % len(KEYS)], value, source.topic.name, 0, n, NOON, 1, HEADERS[n % len(HEADERS)])
        for n, value in enumerate(values)
    ]
    return spark.createDataFrame(rows, RECORDS)


def check(spark: SparkSession, source: Source, poisons: Sequence[Poison], good: bytes) -> None:
    """Landing and live on all of them at once."""
    decoded = decode(among_good(spark, source, poisons, good), source)
    wanted = {2 * n + 1 for n in range(len(poisons))} | {2 * n for n, one in enumerate(poisons) if one.reason is None}
    live = live_rows(decoded, source, b"key").toArrow()
    taken = set(live.filter(live[GOOD])["kafka_offset"].to_pylist())
    bronze = bronze_rows(decoded, source).toArrow()
    reasons = {row.kafka_offset: row.reason for row in _quarantined(decoded, source)}
    wrong = [
        f"{one.name}: {reasons.get(2 * n, 'good')!r} instead of {one.reason or 'good'!r}"
        for n, one in enumerate(poisons)
        if (one.reason is None) != (2 * n not in reasons) or (one.reason or "") not in reasons.get(2 * n, "")
    ]
    assert not wrong, "\n".join(wrong)
    assert set(bronze["kafka_offset"].to_pylist()) == wanted, "bronze"
    assert taken == wanted, "live"
    assert len(bronze) == len(wanted)
    for column in live_columns(source):
        fits = ARROW.get(column.clickhouse_type)
        assert fits is None or fits(live.schema.field(column.name).type), column.name


def _quarantined(decoded: DataFrame, source: Source) -> Iterator[object]:
    return iter(quarantine_rows(bad_records(decoded), source).drop("value", "key", "headers").collect())


def test_json(spark: SparkSession, user_events: Source) -> None:
    check(spark, user_events, list(poison.user_events()), poison.LINE)


def test_json_of_every_type(spark: SparkSession, wide: Source) -> None:
    check(spark, wide, list(poison.wide()), json.dumps(poison.WIDE).encode())


def test_unknown_fields_survive_odd_names(spark: SparkSession, user_events: Source) -> None:
    named = next(one for one in poison.user_events() if one.name == "odd names of unknown fields")
    rows = decode(among_good(spark, user_events, [named], poison.LINE), user_events).orderBy("offset").collect()
    assert json.loads(rows[0].unknown_fields).keys() == json.loads(named.value or b"").keys() - poison.EVENT.keys()
    assert rows[1].unknown_fields is None
