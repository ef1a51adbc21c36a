"""Which of the hours that wait for a run one run takes together."""

from collections.abc import Callable
from datetime import datetime, timedelta

from millrace.intervals import Interval


def together(own: Interval, waits: Callable[[datetime], bool], most: int) -> Interval:
    """The run's own hour with its neighbours, later ones first, for as long as they wait for a run; `most` in all."""
    hour, taken = own.end - own.start, own
    for step in (1, -1):
        while _count(taken, hour) < most and waits(_next(taken, hour, step)):
            taken = _with_next(taken, hour, step)
    return taken


def starts(taken: Interval, hour: timedelta) -> list[datetime]:
    """The start of each hour of what was taken."""
    return [taken.start + number * hour for number in range(_count(taken, hour))]


def _count(taken: Interval, hour: timedelta) -> int:
    return (taken.end - taken.start) // hour


def _next(taken: Interval, hour: timedelta, step: int) -> datetime:
    return taken.end if step > 0 else taken.start - hour


def _with_next(taken: Interval, hour: timedelta, step: int) -> Interval:
    return Interval(taken.start, taken.end + hour) if step > 0 else Interval(taken.start - hour, taken.end)
