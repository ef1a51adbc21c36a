"""Which hours a run takes together."""

from datetime import UTC, datetime, timedelta

import pytest

from millrace.intervals import Interval

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 31, 9, tzinfo=UTC)
OWN = Interval(START, START + HOUR)


def taken(*waiting: int, most: int = 24) -> tuple[int, int]:
    """First and last hour that are taken, counted from the run's own, when these wait."""
    from millrace_airflow.hours import together

    found = together(OWN, lambda hour: (hour - START) // HOUR in waiting, most)
    return (found.start - START) // HOUR, (found.end - START) // HOUR - 1


@pytest.mark.parametrize(
    ("waiting", "span"),
    [((), (0, 0)), ((1, 2, -1), (-1, 2)), ((2, 3), (0, 0)), ((1, 3, -2), (0, 1))],
    ids=["nobody", "both sides", "not next to it", "up to a gap"],
)
def test_neighbours_that_wait_are_taken(waiting, span):
    assert taken(*waiting) == span


def test_no_more_than_asked_for_and_later_ones_first():
    assert taken(*range(-5, 5), most=4) == (0, 3)
    assert taken(*range(-5, 5), most=7) == (-2, 4)
    assert taken(1, -1, most=1) == (0, 0)


def test_every_hour_has_its_start():
    assert Interval(START - HOUR, START + 2 * HOUR).hours() == (START - HOUR, START, START + HOUR)
