"""ClickHouse is killed, away for minutes, or its answer is lost: the lake goes on, and nothing is counted twice."""

import math
from collections.abc import Callable
from contextlib import ExitStack

import psutil
import psycopg
import pytest
import requests

from millrace import names
from tests.faults.bench import Bench
from tests.faults.driver import Driver, is_running
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import covers, in_bronze, newest, recovery
from tests.faults.services import away, frozen, hold_for, kill_part, state_of
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, clickhouse_write
from tests.stack import TestStack

MINUTES_AWAY = 90
UNNOTICED = 40
"""Seconds that a query may wait for an answer before it says that there is none."""
GROWTH = 400_000_000
"""Bytes by which a driver may grow while ClickHouse is away: a heap that settles, but no backlog in memory."""
NO_ANSWER = "ClickHouse failed, attempt"
INSERT = b"INSERT INTO live."
OFTEN = 5


@pytest.mark.core
def test_killed(bench: Bench) -> None:
    """The driver lives on."""
    before, ends = bench.driver.held(), len(bench.driver.ends)
    killed = kill_part(bench.stack, "clickhouse")
    assert not is_running(killed)
    assert state_of(bench.stack, "clickhouse").pid != killed
    bench.load.flow(300)
    bench.recover()
    bench.check()
    assert (bench.driver.held().epoch, len(bench.driver.ends)) == (before.epoch, ends)


def test_away_for_minutes(bench: Bench) -> None:
    """The lake goes on without it, the driver keeps no backlog in memory, and live catches up."""
    ends, before = len(bench.driver.ends), memory(bench.driver)
    with away(bench.stack, "clickhouse"):
        with pytest.raises(requests.ConnectionError):
            clickhouse_rows(bench.lab.settings, "SELECT 1")
        hold_for(MINUTES_AWAY, lambda: not state_of(bench.stack, "clickhouse").runs)
        bench.driver.await_log(NO_ANSWER)
        wanted = newest(bench.load)
        await_that(lambda: covers(in_bronze(bench.lab), wanted), "the lake to go on")
    assert memory(bench.driver) < before + GROWTH
    bench.recover()
    bench.check()
    assert len(bench.driver.ends) == ends, "a driver must outlive ClickHouse"


def test_hangs_for_minutes(bench: Bench) -> None:
    """It takes connections and answers none: the same."""
    ends, said = len(bench.driver.ends), bench.driver.log.count(NO_ANSWER)
    with frozen(bench.stack, "clickhouse"):
        await_that(lambda: bench.driver.log.count(NO_ANSWER) > said, "the driver to notice", UNNOTICED)
        hold_for(MINUTES_AWAY, lambda: idle(bench.lab) < bench.lab.settings.stall_after)
        wanted = newest(bench.load)
        await_that(lambda: covers(in_bronze(bench.lab), wanted), "the lake to go on")
    bench.recover()
    bench.check()
    assert len(bench.driver.ends) == ends, "a driver must outlive it"


def test_hangs_while_a_driver_starts(services: TestStack, lab: Lab, drive: Callable[[Lab], Driver]) -> None:
    """Landing does not wait for an answer that never comes."""
    with Load(lab) as load, ExitStack() as hanging:
        hanging.enter_context(frozen(services, "clickhouse"))
        with drive(lab) as driver:
            driver.await_running()
            await_that(lambda: in_bronze(lab), "bronze to be filled without ClickHouse")
            hanging.close()
            recovery(lab, load, within=120)
            load.stop()
            reconcile(lab, load)
            assert driver.ends == []


def test_away_while_a_driver_starts(services: TestStack, lab: Lab, drive: Callable[[Lab], Driver]) -> None:
    """Landing needs no ClickHouse; live begins once it is there."""
    with Load(lab) as load, away(services, "clickhouse"), drive(lab) as driver:
        driver.await_running()
        await_that(lambda: in_bronze(lab), "bronze to be filled without ClickHouse")
        services.start("clickhouse")
        recovery(lab, load, within=120)
        load.stop()
        reconcile(lab, load)
        assert driver.ends == []


@pytest.mark.core
def test_its_answer_is_lost(bench: Bench) -> None:
    """A proxy drops the answer to an insert that succeeded: the client repeats it, and nothing is counted twice."""
    lost = len(bench.proxy.dropped)
    for _ in range(OFTEN):
        bench.proxy.drop_answer_to(INSERT)
        await_that(lambda: not bench.proxy.armed, "an insert to be answered")
        bench.load.flow(100)
    bench.check()
    assert bench.proxy.dropped[lost:] == [b"HTTP/1.1 200"] * OFTEN


def test_the_request_is_cut(bench: Bench) -> None:
    """Connections break in the middle of inserts."""
    cut = bench.proxy.cut
    for _ in range(OFTEN):
        bench.proxy.cut_request_of(INSERT)
        await_that(lambda: not bench.proxy.armed, "an insert to be cut")
        bench.load.flow(100)
    bench.check()
    assert bench.proxy.cut == cut + OFTEN


def test_its_tables_are_gone(bench: Bench) -> None:
    """As after a start on an empty disk. The driver makes them anew and fills them with what Kafka still has."""
    before, ends = bench.driver.held(), len(bench.driver.ends)
    bench.load.flow(100)
    counts = f"{bench.lab.source}_counts"
    tables = [names.realtime_feed(counts), counts, names.realtime_state(counts)]
    for table in [*(f"{names.REALTIME}.{name}" for name in tables), f"{names.LIVE}.{bench.lab.source}"]:
        clickhouse_write(bench.lab.settings, f"DROP TABLE {table} SYNC")
    bench.load.flow(100)
    bench.driver.await_log("begins anew with what Kafka still has")
    bench.recover(within=240)
    bench.check()
    assert (bench.driver.held().epoch, len(bench.driver.ends)) == (before.epoch, ends)


def test_its_live_table_alone_is_gone(bench: Bench) -> None:
    """What the table fed has its sums still: it is emptied, and fed anew. A view of somebody's own is left alone."""
    live, settings = f"{names.LIVE}.{bench.lab.source}", bench.lab.settings
    clickhouse_write(settings, "CREATE DATABASE IF NOT EXISTS somebody")
    clickhouse_write(settings, f"CREATE MATERIALIZED VIEW somebody.own_mv ENGINE = Memory AS SELECT 1 AS x FROM {live}")
    bench.load.flow(100)
    clickhouse_write(settings, f"DROP TABLE {live} SYNC")
    bench.load.flow(100)
    bench.driver.await_log("its table is empty; it begins anew")
    bench.recover(within=240)
    bench.check()
    clickhouse_write(settings, "DROP DATABASE somebody SYNC")
    state = names.realtime_state(f"{bench.lab.source}_counts")
    kept = f"SELECT total_rows FROM system.tables WHERE database = '{names.REALTIME}' AND startsWith(name, '{state}_')"
    assert any(row["total_rows"] for row in clickhouse_rows(settings, kept)), "what was held is kept"


def test_its_live_table_is_emptied_while_no_driver_runs(
    services: TestStack, lab: Lab, drive: Callable[[Lab], Driver]
) -> None:
    with Load(lab) as load:
        with drive(lab) as first:
            first.await_running()
            recovery(lab, load, within=240)
        clickhouse_write(lab.settings, f"TRUNCATE TABLE {names.LIVE}.{lab.source}")
        with drive(lab) as second:
            second.await_log("its table is empty; it begins anew")
            recovery(lab, load, within=240)
            load.stop()
            reconcile(lab, load)


def idle(lab: Lab) -> float:
    """Seconds since all queries that wait for nothing had made progress, as supervision sees it."""
    sql = "SELECT extract(epoch FROM now() - last_progress_at) FROM ops.stream_groups WHERE group_name = %s"
    with psycopg.connect(lab.settings.postgres_dsn) as connection:
        row = connection.execute(sql, (lab.group,)).fetchone()
    return float(row[0]) if row else math.inf


def memory(driver: Driver) -> int:
    """Bytes of the driver and its JVM."""
    leader = psutil.Process(driver.pid)
    return sum(p.memory_info().rss for p in (leader, *leader.children(recursive=True)))
