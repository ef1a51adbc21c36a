"""Bad records on their way to the dead-letter topic: never more at once than the driver can hold."""

from collections import defaultdict

import pytest
from pyspark.sql import SparkSession, functions as F

from spark_jobs.edges import quarantine
from spark_jobs.edges.quarantine import in_portions

MOST = 10_000
COLUMNS = "kafka_partition int, kafka_offset bigint, key binary, value binary, headers string"


def test_a_portion_is_as_large_as_its_records_with_keys_and_headers(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small ones, and then a few large ones side by side."""
    monkeypatch.setattr(quarantine, "_PORTION", MOST)
    large = [(1, n, b"k" * 3_000, None, "h" * 2_000) for n in range(7)]
    small = [(0, n, None, b"v", None) for n in range(400)]
    rows = in_portions(spark.createDataFrame([*large, *small], COLUMNS))
    held: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in rows.select("*", F.spark_partition_id().alias("portion")).collect():
        held[row.portion].append((row.kafka_partition, row.kafka_offset))
    places = sorted(place for portion in held.values() for place in portion)
    assert places == [(0, n) for n in range(400)] + [(1, n) for n in range(7)]
    assert max(sum(5_000 if p else 1 for p, _ in portion) for portion in held.values()) <= MOST
    assert len(held) == 4


def test_what_fits_stays_as_it_is(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(0, 1, b"k", b"v", None)], COLUMNS)
    assert in_portions(rows) is rows
