"""Poison over the wire: each record is in quarantine once with its bytes, and its neighbours are unharmed."""

from collections.abc import Callable

import pytest

from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.poison import DEEP, nested, poison
from tests.faults.reconcile import reconcile
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, lake_rows

Drive = Callable[[Lab], Driver]


@pytest.mark.core
def test_each_is_in_quarantine_once(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        first = driver.await_running()
        sent = poison()
        for value in sent.values():
            load.flow(10)
            load.send(value)
        load.flow(200)
        load.stop()
        assert sum(not a.steady for a in load.acked) == len(sent)
        counted = reconcile(lab, load, refused=set(sent.values()))
        assert len(counted.bad) == len(sent)
        rows = lake_rows(lab.settings, "quarantine", lab.source, "SELECT reason FROM t")
        assert all(reason for (reason,) in rows)
        sql = f"SELECT count() AS n FROM ops.quarantine FINAL WHERE source = '{lab.source}'"
        await_that(lambda: clickhouse_rows(lab.settings, sql)[0]["n"] == len(sent), "the index of the quarantine")
        assert (driver.held().epoch, driver.ends) == (first.epoch, [])


def test_what_is_odd_but_allowed_goes_through(lab: Lab, drive: Drive) -> None:
    """Deep and long values in fields that the contract does not know, and dates at the edge of what it takes."""
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        odd = [
            tick(1, deep=nested(DEEP)),
            tick(2, note="x" * 5_000_000),
            tick(3, at="1970-01-02T00:00:00Z"),
            tick(4, at="2099-12-30T00:00:00+14:00"),
            tick(5, kind="\u0000\u202e\U0001f600"),
            tick(-(2**63)),
            tick(6, size=-0.0),
            tick(7, size=5e-324),
        ]
        for event in odd:
            load.send(encoded(event))
            load.flow(10)
        load.stop()
        assert not reconcile(lab, load).bad
