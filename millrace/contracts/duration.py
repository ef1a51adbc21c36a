"""Durations as people write them: `2 minutes`, `3 days`."""

import re
from datetime import timedelta

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_FORM = re.compile(r"^(\d+) (second|minute|hour|day)s?$")


def parse_duration(value: object) -> timedelta:
    """Read `<whole number> <unit>`; raises ValueError saying what is expected."""
    if isinstance(value, timedelta):
        return value
    match = _FORM.match(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"{value!r} is not a duration; write a whole number and a unit, e.g. '2 minutes' or '3 days'")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that fits it exactly; the reverse of parse_duration."""
    seconds = int(value.total_seconds())
    unit, size = next((u, n) for u, n in reversed(_UNITS.items()) if seconds % n == 0)
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
