"""Gold in ClickHouse follows the lake: by partitions, by keys, and back to it when it has strayed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from pyspark.sql import SparkSession

from millrace.clickhouse.client import connect
from millrace.contracts.catalog import read_catalog
from millrace.contracts.model import GoldModel
from millrace.deploy import deploy_tables
from millrace.errors import DataError
from millrace.settings import ROOT
from spark_jobs.batch import BatchRun
from spark_jobs.edges.gold_memory import GoldMemory
from spark_jobs.edges.locks import exclusive
from spark_jobs.gold import publish_gold, stage_gold
from spark_jobs.settled import settled_models
from spark_jobs.sync import sync_gold
from tests.spark.tiny_lake import TinyLake, event
from tests.stack import TestStack

DAY, BEFORE = date(2026, 1, 2), date(2026, 1, 1)


def probe(name: str, sql: str, **header: Any) -> GoldModel:
    place = {"name": name, "domain": "shop", "path": Path(f"{name}.sql"), "inputs": ("silver.user_events",)}
    return GoldModel(**place, sql=sql, serve={"order_by": header.pop("order_by", ())}, **header)


DAILY = "SELECT event_date, source, count(*) AS event_count FROM user_events GROUP BY event_date, source"
PROBES = (
    probe("probe_daily", DAILY, partition="event_date"),
    probe("probe_collapsing", DAILY, partition="event_date", order_by=("event_date",)),
    probe("probe_sources", "SELECT source, count(*) AS events FROM user_events GROUP BY source", key=("source",)),
)


@pytest.fixture
def client(stack: TestStack, spark: SparkSession) -> Iterator[Client]:
    client = connect(stack.settings)
    yield client
    for model in PROBES:
        client.command(f"DROP TABLE IF EXISTS {model.served_as} SYNC")
    client.close()


@pytest.fixture
def run(stack: TestStack, spark: SparkSession, client: Client, tmp_path: Path) -> BatchRun:
    """An hour with events of two days from two sources, refined to silver."""
    catalog = read_catalog(ROOT)
    deploy_tables(stack.settings, catalog)
    settings = stack.settings.model_copy(update={"lake": str(tmp_path / "lake")})
    lake = TinyLake(spark, settings, catalog.model_copy(update={"models": PROBES}))
    yesterday = datetime(2026, 1, 1, 12, tzinfo=UTC)
    lake.land(event(0, 0), event(1, 1, source="mobile"), event(2, 2), event(3, 3, timestamp=yesterday))
    return replace(lake.refine(0, 1), exclusive=exclusive, memory=GoldMemory())


def published(run: BatchRun, model: str) -> None:
    stage_gold(run, model)
    publish_gold(run, model)


def test_partitions_follow_the_lake(run: BatchRun, client: Client):
    def rows() -> set[tuple[Any, ...]]:
        found = client.query("SELECT event_date, source, event_count FROM gold.probe_daily").result_rows
        assert len(found) == len(set(found))
        return set(found)

    published(run, "probe_daily")
    everything = {(BEFORE, "web", 1), (DAY, "web", 2), (DAY, "mobile", 1)}
    assert sync_gold(run, "probe_daily").rows == 3
    assert rows() == everything
    assert sync_gold(run, "probe_daily").rows == 0

    client.command("ALTER TABLE gold.probe_daily DELETE WHERE source = 'web' SETTINGS mutations_sync = 2")
    sync_gold(run, "probe_daily")
    assert rows() == everything

    client.command("DROP TABLE gold.probe_daily SYNC")
    later = replace(run, interval=run.interval.before(run.interval.end - run.interval.start))
    sync_gold(later, "probe_daily")
    assert rows() == everything

    run.spark.sql(f"DELETE FROM delta.`{run.path('gold', 'probe_daily')}` WHERE event_date = DATE'{BEFORE}'")
    sync_gold(run, "probe_daily")
    assert rows() == everything - {(BEFORE, "web", 1)}
    assert client.query("SELECT name FROM system.tables WHERE name LIKE 'sync_%'").result_rows == []


def test_keys_follow_the_lake(run: BatchRun, client: Client):
    published(run, "probe_sources")
    sync_gold(run, "probe_sources")
    query = "SELECT source, events FROM gold.probe_sources FINAL"
    assert set(client.query(query).result_rows) == {("web", 3), ("mobile", 1)}
    client.command("TRUNCATE TABLE gold.probe_sources")
    sync_gold(run, "probe_sources")
    assert set(client.query(query).result_rows) == {("web", 3), ("mobile", 1)}
    assert sync_gold(run, "probe_sources").rows == 0


def test_a_model_is_settled_while_lake_and_copy_are_as_they_were_left(run: BatchRun, client: Client):
    def settled() -> set[str]:
        return set(settled_models(replace(run, touched={}), "user_events").models)

    for model in ("probe_daily", "probe_sources"):
        published(run, model)
        assert model not in settled(), "ClickHouse has nothing of it"
        sync_gold(run, model)
        assert model in settled()
    client.command("ALTER TABLE gold.probe_daily DELETE WHERE source = 'web' SETTINGS mutations_sync = 2")
    assert settled() == {"probe_sources"}
    client.command("DROP TABLE gold.probe_sources SYNC")
    assert settled() == set()
    for model in ("probe_daily", "probe_sources"):
        sync_gold(run, model)
    assert settled() == {"probe_daily", "probe_sources"}
    run.spark.sql(f"DELETE FROM delta.`{run.path('gold', 'probe_daily')}` WHERE event_date = DATE'{BEFORE}'")
    assert settled() == {"probe_sources"}


def test_rows_that_the_engine_would_collapse_are_refused(run: BatchRun, client: Client):
    published(run, "probe_collapsing")
    with pytest.raises(DataError, match="expected each row to have its own"):
        sync_gold(run, "probe_collapsing")
    assert client.query("SELECT count() FROM gold.probe_collapsing").result_rows == [(0,)]
