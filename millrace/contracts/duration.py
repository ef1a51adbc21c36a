"""Durations as people write them: `2 minutes`, `3 days`."""

import re
from datetime import timedelta

from millrace.contracts.problem import Wrong

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"^(\d{1,6}) (second|minute|hour|day)s?$")


def parse_duration(value: object) -> timedelta:
    """Read `<whole number> <unit>`; raises Wrong saying what is expected."""
    if isinstance(value, timedelta):
        return value
    match = _FORM.match(value) if isinstance(value, str) else None
    if not match:
        raise Wrong(repr(value), "a whole number and one of second, minute, hour, day", "2 minutes")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that fits it exactly; the reverse of parse_duration."""
    seconds = int(value.total_seconds())
    unit, size = next((u, n) for u, n in reversed(_UNITS.items()) if seconds % n == 0)
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
