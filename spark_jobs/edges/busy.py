"""Tells a query that computes from one that hangs while no task of its batch ends, by the JVM's processor time."""

import time
from collections.abc import Callable

import psutil

BUSY = 0.3
"""Processor time per second from which the JVM counts as computing; an idle one needs a tenth."""
LONGEST_TASK = 600.0
"""Seconds for which computing is believed though no task ends: another query may be the one that computes."""


def jvm_seconds() -> float:
    """Processor time that the JVM has used, which spark-submit made this process's parent; 0 without one."""
    try:
        parent = psutil.Process().parent()
        times = parent.cpu_times() if parent else None
    except psutil.Error:
        return 0.0
    return times.user + times.system if times else 0.0


class Busy:
    """Counts the looks at which the JVM was computing; each look covers the time since the one before."""

    def __init__(self, used: Callable[[], float] = jvm_seconds) -> None:
        self._used = used
        self._looked, self._seconds = time.monotonic(), used()
        self._done: object = None
        self._since = self._looked
        self._count = 0

    def look(self, done: object) -> tuple[object, int]:
        """`done`, which changes as tasks end, and a number that changes while the JVM computes."""
        now, seconds = time.monotonic(), self._used()
        if done != self._done:
            self._done, self._since = done, now
        if now - self._since < LONGEST_TASK and seconds - self._seconds >= BUSY * (now - self._looked):
            self._count += 1
        self._looked, self._seconds = now, seconds
        return done, self._count
