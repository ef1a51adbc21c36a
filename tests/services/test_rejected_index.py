"""The index of rejected rows is complete after each time that it is written, whatever ClickHouse knew or lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from pyspark.sql import DataFrame, SparkSession

from millrace.clickhouse.client import connect
from millrace.contracts.catalog import read_catalog
from millrace.deploy import deploy_tables
from millrace.settings import ROOT
from spark_jobs.edges.quarantine_index import index_rejected
from tests.stack import TestStack

PROBE = "probe_of_the_index"
FOUND = f"SELECT kafka_offset, reason FROM ops.quarantine FINAL WHERE source = '{PROBE}' ORDER BY kafka_offset"


@pytest.fixture
def client(stack: TestStack, spark: SparkSession) -> Iterator[Client]:
    deploy_tables(stack.settings, read_catalog(ROOT))
    client = connect(stack.settings)
    yield client
    client.command(f"ALTER TABLE ops.quarantine DELETE WHERE source = '{PROBE}' SETTINGS mutations_sync = 2")
    client.close()


def rejected(spark: SparkSession, reason: str) -> DataFrame:
    """Three rows of this hour."""
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    columns = "stage string, reason string, kafka_topic string, kafka_partition int, kafka_offset bigint"
    rows = [("silver", reason, "t", 0, n, at + timedelta(seconds=n), at) for n in range(3)]
    return spark.createDataFrame(rows, f"{columns}, append_time timestamp, ingestion_timestamp timestamp")


def test_the_index_has_each_row_once_with_its_last_reason(
    stack: TestStack, spark: SparkSession, client: Client
) -> None:
    def found() -> list[tuple[int, str]]:
        return [(row[0], row[1]) for row in client.query(FOUND).result_rows]

    index_rejected(stack.settings, PROBE, rejected(spark, "blank"))
    index_rejected(stack.settings, PROBE, rejected(spark, "blank"))
    assert found() == [(n, "blank") for n in range(3)]
    lost = (
        f"ALTER TABLE ops.quarantine DELETE WHERE source = '{PROBE}' AND kafka_offset = 1 SETTINGS mutations_sync = 2"
    )
    client.command(lost)
    assert len(found()) == 2
    index_rejected(stack.settings, PROBE, rejected(spark, "blank"))
    assert found() == [(n, "blank") for n in range(3)], "ClickHouse knows the block, and has lost a row of it"
    index_rejected(stack.settings, PROBE, rejected(spark, "too old"))
    assert found() == [(n, "too old") for n in range(3)]
