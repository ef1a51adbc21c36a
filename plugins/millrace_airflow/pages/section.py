"""A table on the page: values ready to be shown, each with a tone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from millrace.errors import TransientError
from millrace.intervals import Interval

Tone = Literal["", "good", "warn", "bad", "dim"]


@dataclass(frozen=True)
class Cell:
    """One value; `tone` colours it."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Section:
    """One table; `problem` is told instead of rows when its service does not answer."""

    title: str
    hint: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()
    problem: str = ""
    dag: str = ""
    """The DAG by which a person acts on what the section shows."""


def section(
    title: str, hint: str, columns: Sequence[str], rows: Callable[[], Sequence[Sequence[Cell]]], dag: str = ""
) -> Section:
    """Fill a section; a service that is down spoils its own section alone."""
    try:
        return Section(title, hint, tuple(columns), tuple(tuple(row) for row in rows()), dag=dag)
    except TransientError as error:
        return Section(title, hint, tuple(columns), problem=str(error), dag=dag)


def count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def age(seconds: float | None) -> str:
    """A duration as people say it: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit, upto in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172_800)):
        if seconds < upto:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def span(key: str) -> str:
    """An interval's key, `<start>-<end>` in compact ISO form, as people read it; unchanged if it is no such key."""
    try:
        interval = Interval.from_key(key)
    except ValueError:
        return key
    return f"{interval.start:%Y-%m-%d %H:%M} to {interval.end:%H:%M:%S}"


def moment(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"
