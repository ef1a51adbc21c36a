"""A stream model's watermark under odd clocks, by Structured Streaming itself: rows in, windows out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession, functions as F

from millrace.contracts.catalog import read_catalog
from millrace.contracts.model import StreamModel
from millrace.contracts.source import Source
from millrace.settings import ROOT
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.live_rows import refined_rows
from spark_jobs.transforms.windowed import timely, without_duplicates
from tests.spark.cases import RECORDS
from tests.spark.poison import with_

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Event = tuple[int, float, float]
"""Its id, minutes after noon when Kafka took it, minutes after noon when it says it happened."""


@pytest.fixture(scope="module")
def source() -> Source:
    return read_catalog(ROOT).source("user_events")


@pytest.fixture(scope="module")
def model() -> StreamModel:
    return next(m for m in read_catalog(ROOT).streams if m.name == "conversions_per_5_minutes")


def counts(
    spark: SparkSession, source: Source, model: StreamModel, folder: Path, batches: list[list[Event]]
) -> dict[int, int]:
    """Events per window (its start in minutes after noon) after all batches, each a file that comes by itself."""
    inbox, counted = folder / "in", folder / "out"
    rows = spark.readStream.schema(RECORDS).options(maxFilesPerTrigger=1, recursiveFileLookup=True).parquet(str(inbox))
    timed = rows.transform(decode, source).transform(refined_rows, source, b"key").transform(timely, source)
    windows = (
        without_duplicates(timed, source, model)
        .groupBy(F.window("event_time", "5 minutes").alias("w"))
        .agg(F.count("*").alias("n"))
    )
    for number, batch in enumerate(batches):
        _put(spark, inbox / f"{number}.parquet", batch, number * 1000)
    query = (
        windows.select(F.col("w.start").alias("start"), "n")
        .writeStream.format("memory").queryName(f"w_{folder.name.replace('-', '_')}")
        .outputMode("update").option("checkpointLocation", str(counted)).trigger(availableNow=True).start()
    )  # fmt: skip
    query.awaitTermination(120)
    found = spark.table(f"w_{folder.name.replace('-', '_')}").groupBy("start").agg(F.max("n")).collect()
    return {int((row[0].astimezone(UTC) - NOON) / timedelta(minutes=1)): row[1] for row in found}


def _put(spark: SparkSession, path: Path, batch: list[Event], first: int) -> None:
    values = [with_(event_id=f"e{number}", timestamp=_at(happened).isoformat()) for number, _, happened in batch]
    rows = [
        (None, value, "user-events", 0, first + n, _at(batch[n][1]), 1, None) for n, value in enumerate(values)
    ]  # fmt: skip
    spark.createDataFrame(rows, RECORDS).coalesce(1).write.parquet(str(path))


def _at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


TWO_DAYS = 2 * 24 * 60
NORMAL: list[list[Event]] = [[(n, n, n) for n in range(10)], [(n, n, n) for n in range(10, 20)]]


def test_a_clock_two_days_ahead_changes_nothing(
    spark: SparkSession, source: Source, model: StreamModel, tmp_path: Path
) -> None:
    fast: list[Event] = [(100 + n, 9, 9 + TWO_DAYS) for n in range(5)]
    batches = [NORMAL[0], fast, NORMAL[1]]
    assert counts(spark, source, model, tmp_path, batches) == {0: 5, 5: 5, 10: 5, 15: 5}


def test_a_clock_that_is_just_timely_takes_no_time_from_others(
    spark: SparkSession, source: Source, model: StreamModel, tmp_path: Path
) -> None:
    """Events that are late by less than the model's watermark count, though someone's clock is fast by the lateness."""
    fast: list[Event] = [(100, 9, 11)]
    late: list[Event] = [(200, 9.1, 7.2)]
    assert counts(spark, source, model, tmp_path, [NORMAL[0], fast, late]) == {0: 5, 5: 6, 10: 1}


def test_the_same_event_again_and_late_ones(
    spark: SparkSession, source: Source, model: StreamModel, tmp_path: Path
) -> None:
    again: list[Event] = [(9, 9.5, 9)] * 100
    hour, days = (300, 20, -40), (301, 20, 20 - 3 * 24 * 60)
    batches = [NORMAL[0], again, NORMAL[1], [hour, days], [(302, 21, 21)]]
    assert counts(spark, source, model, tmp_path, batches) == {0: 5, 5: 5, 10: 5, 15: 5, 20: 1}
