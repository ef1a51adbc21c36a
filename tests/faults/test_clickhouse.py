"""ClickHouse is killed, away for minutes, or its answer is lost: the lake goes on, and nothing is counted twice."""

from collections.abc import Callable

import psutil
import pytest

from tests.faults.driver import Driver, is_running
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.reconcile import reconcile
from tests.faults.recovery import covers, in_bronze, newest, recovery
from tests.faults.services import away, hold_for, kill_part, state_of
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows
from tests.stack import TestStack

Drive = Callable[[Lab], Driver]
MINUTES_AWAY = 90
GROWTH = 400_000_000
"""Bytes by which a driver may grow while ClickHouse is away: a heap that settles, but no backlog in memory."""


@pytest.mark.core
def test_killed(services: TestStack, lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        first = driver.await_running()
        load.flow(300)
        recovery(lab, load, within=120)
        killed = kill_part(services, "clickhouse")
        assert not is_running(killed)
        assert state_of(services, "clickhouse").pid != killed
        load.flow(300)
        assert recovery(lab, load, within=60)
        load.stop()
        reconcile(lab, load)
        assert (driver.held().epoch, driver.ends) == (first.epoch, [])


def test_away_for_minutes(services: TestStack, lab: Lab, drive: Drive) -> None:
    """The lake goes on without it, the driver keeps no backlog in memory, and live catches up."""
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        recovery(lab, load, within=120)
        before = memory(driver)
        with away(services, "clickhouse"):
            with pytest.raises(OSError, match="refused"):
                clickhouse_rows(lab.settings, "SELECT 1")
            hold_for(MINUTES_AWAY, lambda: not state_of(services, "clickhouse").runs)
            driver.await_log("ClickHouse failed, attempt")
            wanted = newest(load)
            await_that(lambda: covers(in_bronze(lab), wanted), "the lake to go on")
        assert memory(driver) < before + GROWTH
        recovery(lab, load, within=60)
        load.stop()
        reconcile(lab, load)
        assert driver.ends == [], "a driver must outlive ClickHouse"


def test_away_while_a_driver_starts(services: TestStack, lab: Lab, drive: Drive) -> None:
    """Landing needs no ClickHouse; live begins once it is there."""
    with Load(lab) as load, away(services, "clickhouse"), drive(lab) as driver:
        driver.await_running()
        await_that(lambda: in_bronze(lab), "bronze to be filled without ClickHouse")
        services.start("clickhouse")
        recovery(lab, load, within=90)
        load.stop()
        reconcile(lab, load)
        assert driver.ends == []


def test_its_answer_is_lost(services: TestStack, new_lab: Callable[..., Lab], drive: Drive) -> None:
    """A proxy drops the answer to an insert that succeeded: the client repeats it, and nothing is counted twice."""
    settings = services.settings
    with Proxy(settings.clickhouse_host, settings.clickhouse_http_port) as proxy:
        lab = new_lab(clickhouse_http_port=proxy.port - settings.port_offset)
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            recovery(lab, load, within=120)
            for _ in range(5):
                proxy.drop_answer_to(b"INSERT INTO live.")
                await_that(lambda: not proxy.armed, "an insert to be answered")
                load.flow(100)
            assert proxy.dropped == [b"HTTP/1.1 200"] * 5
            load.stop()
            reconcile(lab, load)


def test_the_request_is_cut(services: TestStack, new_lab: Callable[..., Lab], drive: Drive) -> None:
    """Connections break in the middle of inserts."""
    settings = services.settings
    with Proxy(settings.clickhouse_host, settings.clickhouse_http_port) as proxy:
        lab = new_lab(clickhouse_http_port=proxy.port - settings.port_offset)
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            recovery(lab, load, within=120)
            for _ in range(5):
                proxy.cut_request_of(b"INSERT INTO live.")
                await_that(lambda: not proxy.armed, "an insert to be cut")
                load.flow(100)
            assert proxy.cut == 5
            load.stop()
            reconcile(lab, load)


def memory(driver: Driver) -> int:
    """Bytes of the driver and its JVM."""
    leader = psutil.Process(driver.pid)
    return sum(p.memory_info().rss for p in (leader, *leader.children(recursive=True)))
