"""Intervals over Kafka append time: half-open, in UTC, the unit in which batch work is done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self

_HOUR = timedelta(hours=1)
_KEY = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, order=True)
class Interval:
    """`[start, end)` of append time. Raises ValueError where a bound has no time zone or the interval is empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"interval {self.start} to {self.end}: give both bounds a time zone, e.g. +00:00")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"interval {self.start} to {self.end} is empty; its end must be later than its start")

    @classmethod
    def of_hour(cls, moment: datetime) -> Self:
        """The whole hour that holds `moment`."""
        start = floor_hour(moment)
        return cls(start, start + _HOUR)

    @classmethod
    def parse(cls, start: str, end: str) -> Self:
        """From two ISO-8601 texts; text without an offset is UTC."""
        return cls(_utc(datetime.fromisoformat(start)), _utc(datetime.fromisoformat(end)))

    @classmethod
    def from_key(cls, key: str) -> Self:
        """The interval that has this key; raises ValueError where the text is no such key."""
        start, end = (datetime.strptime(part, _KEY).replace(tzinfo=UTC) for part in key.split("-"))
        return cls(start, end)

    @property
    def key(self) -> str:
        """A name for files and tables, e.g. `20260102T030000.000000Z-20260102T040000.000000Z`; sorts by time."""
        return f"{self.start:{_KEY}}-{self.end:{_KEY}}"

    def hours(self) -> tuple[datetime, ...]:
        """The starts of all hours that the interval touches: the values of `append_hour` that can hold its rows."""
        first = floor_hour(self.start)
        count = -((first - self.end) // _HOUR)
        return tuple(first + i * _HOUR for i in range(count))

    @property
    def is_of_whole_hours(self) -> bool:
        """Whether the hours that it touches hold nothing but its own rows."""
        return floor_hour(self.start) == self.start and floor_hour(self.end) == self.end

    def by_hours(self) -> tuple["Interval", ...]:
        """The interval cut at full hours."""
        cuts = [self.start, *(hour for hour in self.hours() if hour > self.start), self.end]
        return tuple(Interval(start, end) for start, end in pairwise(cuts))

    def contains(self, other: "Interval") -> bool:
        return self.start <= other.start and other.end <= self.end

    def widened(self, span: timedelta) -> "Interval":
        """The interval with `span` more on both sides."""
        return Interval(self.start - span, self.end + span)

    def before(self, span: timedelta) -> "Interval":
        """The stretch of `span` that ends where this interval starts."""
        return Interval(self.start - span, self.start)

    def __str__(self) -> str:
        return f"{self.start.isoformat()} to {self.end.isoformat()}"


def floor_hour(moment: datetime) -> datetime:
    return _utc(moment).astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
