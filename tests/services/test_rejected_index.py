"""The index of rejected rows is complete after the ledger, whatever publishing could not write to it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from pyspark.sql import DataFrame, SparkSession

from millrace.clickhouse.client import connect
from millrace.contracts.catalog import read_catalog
from millrace.deploy import deploy_tables
from millrace.intervals import Interval
from millrace.settings import ROOT
from spark_jobs.edges.quarantine_index import catch_up
from spark_jobs.edges.session import connect_session
from tests.stack import TestStack

PROBE = "probe_of_the_index"
FOUND = f"SELECT kafka_offset FROM ops.quarantine FINAL WHERE source = '{PROBE}' ORDER BY kafka_offset"


@pytest.fixture(scope="module")
def spark(stack: TestStack) -> Iterator[SparkSession]:
    stack.start("postgres", "clickhouse", "spark-connect")
    deploy_tables(stack.settings, read_catalog(ROOT))
    session = connect_session(stack.settings)
    yield session
    session.stop()


@pytest.fixture
def client(stack: TestStack, spark: SparkSession) -> Iterator[Client]:
    client = connect(stack.settings)
    yield client
    client.command(f"ALTER TABLE ops.quarantine DELETE WHERE source = '{PROBE}' SETTINGS mutations_sync = 2")
    client.close()


def rejected(spark: SparkSession, at: datetime, offsets: range) -> DataFrame:
    columns = "stage string, reason string, kafka_topic string, kafka_partition int, kafka_offset bigint"
    rows = [("silver", "blank", "t", 0, offset, at + timedelta(seconds=offset), at) for offset in offsets]
    return spark.createDataFrame(rows, f"{columns}, append_time timestamp, ingestion_timestamp timestamp")


def test_what_lacks_is_indexed_and_what_is_there_stays(spark: SparkSession, client: Client) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows, interval = rejected(spark, hour, range(5)), Interval(hour, hour + timedelta(hours=1))

    def found() -> list[int]:
        return [row[0] for row in client.query(FOUND).result_rows]

    catch_up(client, PROBE, interval, rows, 5)
    assert found() == [0, 1, 2, 3, 4]
    client.command(
        f"ALTER TABLE ops.quarantine DELETE WHERE source = '{PROBE}' AND kafka_offset = 3 SETTINGS mutations_sync = 2"
    )
    catch_up(client, PROBE, interval, rows, 5)
    assert found() == [0, 1, 2, 3, 4]
    catch_up(client, PROBE, interval, rejected(spark, hour, range(5, 9)), 5)
    assert found() == [0, 1, 2, 3, 4]
    catch_up(client, PROBE, Interval(hour - timedelta(hours=1), hour), rejected(spark, hour, range(-3, 0)), 3)
    assert found() == [-3, -2, -1, 0, 1, 2, 3, 4]
