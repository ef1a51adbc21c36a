"""Tables of the lake are made once, whatever a crash has left where they are to lie."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from millrace.contracts.avro import Column
from spark_jobs.edges import lake

COLUMNS = (
    Column(name="day", spark_type="date", nullable=True),
    Column(name="id", spark_type="bigint", nullable=True, doc="It's the number."),
)


def ensure(spark: SparkSession, path: Path) -> None:
    lake.ensure(spark, str(path), COLUMNS, partition="day", stats=("id",))


def test_a_table_is_as_it_was_asked_for(spark: SparkSession, tmp_path: Path) -> None:
    ensure(spark, tmp_path / "table")
    found = lake.read(spark, str(tmp_path / "table"))
    assert found is not None
    assert {field.name: field.metadata.get("comment") for field in found.schema} == {
        c.name: c.doc or None for c in COLUMNS
    }
    [detail] = spark.sql(f"DESCRIBE DETAIL {lake.table(str(tmp_path / 'table'))}").collect()
    assert (detail["partitionColumns"], detail["properties"]["delta.dataSkippingStatsColumns"]) == (["day"], "id")
    assert detail["numFiles"] == 0


@pytest.mark.parametrize("left", ["_delta_log/.0.json.3f2a.tmp", "day=2026-01-05/part-0.parquet", ""])
def test_a_creation_that_was_cut_short_is_done_again(left: str, spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "table"
    (path / "_delta_log").mkdir(parents=True)
    if left:
        (path / left).parent.mkdir(exist_ok=True)
        (path / left).write_text("half of")
    ensure(spark, path)
    found = lake.read(spark, str(path))
    assert found is not None
    assert (found.columns, found.count()) == (["day", "id"], 0)


def test_two_that_create_it_at_once_both_find_it(spark: SparkSession, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: ensure(spark, tmp_path / "table"), range(4)):
            found = lake.read(spark, str(tmp_path / "table"))
            assert found is not None
    assert lake.version(spark, str(tmp_path / "table")) == 0
