"""Poison over the wire: each record is in quarantine once with its bytes, and its neighbours are unharmed."""

from collections.abc import Callable

import pytest

from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.reconcile import reconcile
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, lake_rows

Drive = Callable[[Lab], Driver]
MEGABYTES_10 = 10_000_000
DEEP = 500


def poison() -> dict[str, bytes | None]:
    """One record of each kind that cannot be an event of the lab."""
    good = encoded(tick(1))
    return {
        "broken": good[:-5],
        "two objects": good + good,
        "10 MB of no JSON": b"[" * MEGABYTES_10,
        "10 MB of a wrong type": encoded(tick(1, number="9" * MEGABYTES_10)),
        "500 levels deep, and unclosed": good[:-1] + b', "deep": ' + b"[" * DEEP,
        "500 levels deep in a number": encoded(tick(1, number=nested(DEEP))),
        "a list for a text": encoded(tick(1, kind=["a"])),
        "a text for a number": encoded(tick("one")),  # type: ignore[arg-type]
        "a fraction for a long": encoded(tick(1, number=1.5)),
        "beyond a long": encoded(tick(2**63)),
        "invalid UTF-8": good.replace(b'"kind": "', b'"kind": "\xff\xfe'),
        "no value": None,
        "no bytes": b"",
        "white space": b" \n\t ",
        "not an object": b'["id", 1]',
        "NaN": good.replace(b'"size": 0.125', b'"size": NaN'),
        "infinity": good.replace(b'"size": 0.125', b'"size": 1e999'),
        "year 9999": encoded(tick(1, at="9999-12-31T23:59:59Z")),
        "year 1": encoded(tick(1, at="0001-01-01T00:00:00Z")),
        "no such day": encoded(tick(1, at="2026-02-30T00:00:00Z")),
        "no id": encoded({k: v for k, v in tick(1).items() if k != "id"}),
        "null for an id": encoded(tick(1, id=None)),
        "wrong schema id": b"\x00\x7f\xff\xff\xff" + good,
        "text after its end": good + b" and more",
        "a NUL": good + b"\x00",
    }


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


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
