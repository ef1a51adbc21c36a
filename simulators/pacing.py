"""When events happen and when they are due: a schedule, so that small delays never add up to a lower rate."""

import time
from collections.abc import Callable, Iterator

from simulators.event import Event

TICK = 0.02
"""Events due within so many seconds are sent together, because a sleep costs more than a message."""
UNTHROTTLED_STEP = 0.001


def instants(start: float, rate: float, speed_up: float, day_curve: Callable[[float], float]) -> Iterator[float]:
    """The instants of simulated time at which events happen, without end.

    `rate` is events per second of wall time, the mean over a day; 0 means unthrottled, a millisecond apart.
    """
    at = start
    while True:
        yield at
        at += speed_up * (1 / (rate * day_curve(at % 86_400 / 3600)) if rate else UNTHROTTLED_STEP)


def wall_clock(now: Callable[[], float]) -> Iterator[float]:
    """Instants for a run without throttle that stamps what it sends with the real time."""
    while True:
        yield now()


def paced(
    events: Iterator[Event],
    start: float,
    speed_up: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Hold each event back until it is due; after a delay, catch up."""
    began = now()
    for event in events:
        wait = began + (event.at - start) / speed_up - now()
        if wait > 0:
            sleep(max(wait, TICK))
        yield event
