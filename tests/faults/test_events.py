"""Events that come again, come late, or come from a clock that is wrong."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.faults.bench import Bench
from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery
from tests.services.platform import await_that, now
from tests.services.truth import clickhouse_rows, lake_rows

Drive = Callable[[Lab], Driver]
TIMES = 100


def test_the_same_event_100_times_inside_the_window(bench: Bench) -> None:
    """Bronze has all of them, live has it once; a restart in between forgets nothing."""
    again = encoded(tick(1))
    for number in range(TIMES):
        bench.load.send(again, partition=number % 4)
        bench.load.flow(3)
        if number == TIMES // 2:
            bench.recover()
            bench.driver.kill()
    bench.recover(within=240)
    assert sum(s.value == again for s in bench.check().good) == TIMES


def test_the_same_event_beyond_the_window(new_lab: Callable[..., Lab], drive: Drive) -> None:
    """After the lateness has passed, an event counts as new in live, once; the hourly dedup is what removes it."""
    lab = new_lab(lateness="5 seconds")
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        event = tick(1)
        load.send(encoded(event))
        recovery(lab, load, within=120)
        sent_at = now()
        await_that(lambda: now() - sent_at > timedelta(seconds=12), "the lateness to pass twice")
        for _ in range(TIMES):
            load.send(encoded(event))
        load.flow(100)
        load.stop()
        reconcile(lab, load, live={event["id"]: 2})


def test_the_same_id_with_other_content(bench: Bench) -> None:
    """Both are in bronze; live shows the first that Kafka took."""
    first = tick(1)
    bench.load.send(encoded(first), partition=1)
    bench.load.flow(200)
    bench.load.send(encoded(first | {"number": 2, "kind": "b"}), partition=1)
    bench.load.flow(100)
    bench.check()
    rows = lake_rows(bench.lab.settings, "bronze", bench.lab.source, f"SELECT number FROM t WHERE id = '{first['id']}'")
    assert sorted(rows) == [(1,), (2,)]


@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=3)], ids=["an hour", "three days"])
def test_late(age: timedelta, bench: Bench) -> None:
    """Late events are counted in their own window."""
    late = [tick(number, age=age, kind=f"late by {age}") for number in range(50)]
    for event in late:
        bench.load.send(encoded(event))
        bench.load.flow(2)
    bench.check()
    sql = f"""SELECT sum(events) AS n FROM realtime.{bench.lab.source}_counts
              WHERE kind = 'late by {age}' AND window_start < now() - INTERVAL 50 MINUTE"""
    assert clickhouse_rows(bench.lab.settings, sql)[0]["n"] == len(late)


def test_a_clock_two_days_ahead_does_not_poison_the_watermark(new_lab: Callable[..., Lab], drive: Drive) -> None:
    """A stream model goes on counting everybody else's events."""
    lab = new_lab(windows=True)
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        load.flow(300)
        fast = [tick(number, age=-timedelta(days=2), kind="fast") for number in range(20)]
        for event in fast:
            load.send(encoded(event))
            load.flow(10)
        recovery(lab, load, within=120)
        load.flow(1500)
        load.stop()
        counted = reconcile(lab, load)
        on_time = len(counted.first_of_each) - len(fast)
        sql = f"SELECT sum(events) AS n FROM realtime.{lab.source}_windows WHERE window_start < now() + INTERVAL 1 DAY"
        await_that(lambda: clickhouse_rows(lab.settings, sql)[0]["n"] >= on_time, "every window to be complete")
        assert clickhouse_rows(lab.settings, sql)[0]["n"] == on_time
