"""Which of the hours that wait for a run one run takes together."""

from collections.abc import Callable
from datetime import datetime

from millrace.intervals import Interval


def together(own: Interval, waits: Callable[[datetime], bool], most: int) -> Interval:
    """The run's own hour with its neighbours, later ones first, for as long as they wait for a run; `most` in all."""
    hour, start, end = own.end - own.start, own.start, own.end
    while end - start < most * hour and waits(end):
        end += hour
    while end - start < most * hour and waits(start - hour):
        start -= hour
    return Interval(start, end)
