"""When the simulators send: the curve of a day, and what they do about a delay."""

import pytest

from millrace.contracts.catalog import read_catalog
from millrace.settings import ROOT
from simulators.event import Event
from simulators.pacing import instants, paced
from simulators.run import find

SHOP = read_catalog(ROOT).source("user_events")


def test_the_day_curve_keeps_the_mean_rate() -> None:
    curve = find(SHOP).day_curve
    hours = [curve(h / 10) for h in range(240)]
    assert sum(hours) / len(hours) == pytest.approx(1, abs=0.01)
    flow = instants(0.0, 10, 1, curve)
    events_in_a_day = sum(1 for _ in iter(lambda: next(flow) < 86_400, False))
    assert events_in_a_day == pytest.approx(864_000, rel=0.02)


def test_a_delay_is_caught_up() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    flow = (Event(at, "x", {}) for at in instants(100.0, 10, 1, lambda _: 1.0))
    due = paced(flow, 100.0, 1, now=lambda: clock[0], sleep=sleep)
    for _ in range(11):
        next(due)
    assert clock[0] == pytest.approx(1.0)
    clock[0] += 5
    for _ in range(50):
        next(due)
    assert clock[0] == pytest.approx(6.0)
