"""A stream model's watermark under odd clocks, by Structured Streaming itself: rows in, windows out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession, functions as F

from millrace.contracts.catalog import read_catalog
from millrace.contracts.model import StreamModel
from millrace.contracts.source import Source
from millrace.settings import ROOT
from spark_jobs.id_window import IdWindow
from spark_jobs.stream_model import columns_wanted
from spark_jobs.transforms.live_rows import restored
from spark_jobs.transforms.progress import observed_live
from spark_jobs.transforms.windowed import portable, timely, watermarked

STORED = "event_type string, event_time timestamp, append_time timestamp"
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
    inbox, counted, name = folder / "in", folder / "out", f"w_{folder.name.replace('-', '_')}"
    window, columns = IdWindow(int(source.event.lateness.total_seconds() * 1_000_000)), columns_wanted(source, model)
    for number, batch in enumerate(batches):
        _put(spark, inbox / f"{number}.parquet", _once(window, batch))
    rows = spark.readStream.schema(STORED).options(maxFilesPerTrigger=1, recursiveFileLookup=True).parquet(str(inbox))
    timed = rows.transform(observed_live).transform(timely, source).transform(watermarked, source, model)
    timed.transform(restored, columns).createOrReplaceTempView(source.name)
    query = (
        spark.sql(model.sql).transform(portable)
        .writeStream.format("memory").queryName(name)
        .outputMode(model.output).option("checkpointLocation", str(counted)).trigger(availableNow=True).start()
    )  # fmt: skip
    query.awaitTermination(120)
    found = spark.table(name).groupBy("window_start").agg(F.max("events")).collect()
    return {int((row[0].astimezone(UTC) - NOON) / timedelta(minutes=1)): row[1] for row in found}


def _once(window: IdWindow, batch: list[Event]) -> list[Event]:
    """What live lets through to its table."""
    ids = np.array([number for number, _, _ in batch], dtype=np.int64)
    times = np.array([_at(appended).timestamp() * 1_000_000 for _, appended, _ in batch], dtype=np.int64)
    return [event for event, first in zip(batch, window.admit(ids, times), strict=True) if first]


def _put(spark: SparkSession, path: Path, batch: list[Event]) -> None:
    rows = [("page_view", _at(happened), _at(appended)) for _, appended, happened in batch]
    spark.createDataFrame(rows, STORED).coalesce(1).write.parquet(str(path))


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
