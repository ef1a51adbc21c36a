"""Recovery times as a table: one line for each fault, and how many took how long."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from rich.table import Table

BOUNDS = (2, 5, 10, 20, 30, 60, 120)
"""Upper ends of the histogram's columns, in seconds; the last column has no end."""


def table(times: Iterable[tuple[str, float]], title: str) -> Table:
    """Faults with the seconds of each recovery; the last line is of all of them."""
    by_fault: defaultdict[str, list[float]] = defaultdict(list)
    everything: list[float] = []
    for fault, seconds in times:
        by_fault[fault].append(seconds)
        everything.append(seconds)
    headings = [*(f"< {bound} s" for bound in BOUNDS), "more"]
    drawn = Table("fault", "times", "median", "longest", *headings, title=title)
    for fault, seconds in sorted(by_fault.items()):
        drawn.add_row(fault, *_line(seconds))
    drawn.add_section()
    drawn.add_row("all", *_line(everything))
    return drawn


def _line(seconds: list[float]) -> list[str]:
    if not seconds:
        return ["0"]
    counts = histogram(seconds)
    return [str(len(seconds)), f"{median(seconds):.1f} s", f"{max(seconds):.1f} s", *(str(n or "") for n in counts)]


def histogram(seconds: Iterable[float]) -> list[int]:
    """How many lie below each bound and not below the one before; the last counts the rest."""
    counts = [0] * (len(BOUNDS) + 1)
    for value in seconds:
        counts[sum(value >= bound for bound in BOUNDS)] += 1
    return counts
