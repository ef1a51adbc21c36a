"""Poison over the wire: each record is in quarantine once with its bytes, and its neighbours are unharmed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.faults.bench import Bench
from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.poison import ALLOWED_DEPTH, nested, poison
from tests.faults.reconcile import reconcile
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, lake_rows

Drive = Callable[[Lab], Driver]
MEGABYTES_9 = 9_000_000
BURST = 30


@pytest.mark.core
def test_each_is_in_quarantine_once(bench: Bench) -> None:
    before, ends, kept = bench.driver.held(), len(bench.driver.ends), len(reasons(bench))
    sent = poison()
    bench.refused |= set(sent.values())
    for value in sent.values():
        bench.load.flow(10)
        bench.load.send(value)
    bench.load.flow(200)
    bench.check()
    assert len(reasons(bench)) == kept + len(sent)
    assert all(reasons(bench))
    sql = f"SELECT count() AS n FROM ops.quarantine FINAL WHERE source = '{bench.lab.source}'"
    await_that(lambda: clickhouse_rows(bench.lab.settings, sql)[0]["n"] == kept + len(sent), "the quarantine's index")
    assert (bench.driver.held().epoch, len(bench.driver.ends)) == (before.epoch, ends), "a record ended a driver"


def test_a_burst_of_large_records(new_lab: Callable[..., Lab], drive: Drive) -> None:
    """Compressed to nothing, and in one batch half of the memory that a driver has: sent while it was not there."""
    lab = new_lab(stream_memory="1500m")
    with Load(lab) as load:
        load.flow(100)
        broken = {f'{{"id": "{number}'.encode() + b"[" * MEGABYTES_9 for number in range(BURST)}
        for number, value in enumerate(sorted(broken)):
            load.send(value, partition=number % 2)
            load.send(encoded(tick(number, id=f"{number}" + "x" * MEGABYTES_9)), partition=number % 2)
        load.flow(100 + 2 * BURST)
        load.stop()
        with drive(lab) as driver:
            reconcile(lab, load, refused=broken, seconds=420)
            assert "in pieces" in driver.log
            assert len(driver.ends) <= 2, "a driver is lost to a batch once"


def reasons(bench: Bench) -> list[str | None]:
    rows = lake_rows(bench.lab.settings, "quarantine", bench.lab.source, "SELECT reason FROM t")
    return [reason for (reason,) in rows]


def test_what_is_odd_but_allowed_goes_through(bench: Bench) -> None:
    """Deep and long values in fields that the contract does not know, and values at the edge of what it takes."""
    odd = [
        tick(1, deep=nested(ALLOWED_DEPTH)),
        tick(2, note="x" * 5_000_000),
        tick(3, age=timedelta(days=80)),
        tick(4, at="2099-12-30T00:00:00+14:00"),
        tick(5, kind="\u0000\u202e\U0001f600"),
        tick(-(2**63)),
        tick(6, size=-0.0),
        tick(7, size=5e-324),
    ]
    for event in odd:
        bench.load.send(encoded(event))
        bench.load.flow(10)
    counted = bench.check()
    assert {event["id"] for event in odd} <= counted.first_of_each.keys()
