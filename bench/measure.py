"""What a run costs: CPU time and memory of a stack's processes by part, and medians over interleaved rounds."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import psutil

from deploy.local.part_process import marked
from deploy.local.stack import Stack
from deploy.local.supervision import Supervisor
from millrace.driver_process import is_driver

DRIVER = "stream driver"
Floats = np.ndarray[Any, np.dtype[np.float64]]
Longs = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Ages:
    """How old events were when they could be queried, in seconds, over every event of a run."""

    events: int
    p50: float
    p99: float
    highest: float
    missing: int = 0
    """Events that were sent and never became visible: anything but 0 is a defect."""
    by_minute: tuple[float, ...] = ()
    """The 99th percentile of each minute's events, where it was asked for."""


def ages(seconds: Floats, missing: int = 0) -> Ages:
    if not seconds.size:
        return Ages(0, float("nan"), float("nan"), float("nan"), missing)
    p50, p99 = np.percentile(seconds, [50, 99])
    return Ages(int(seconds.size), float(p50), float(p99), float(seconds.max()), missing)


def by_minute(seconds: Floats, since_start: Floats) -> tuple[float, ...]:
    """The 99th percentile of each minute, by when events were made (seconds since the start); whole minutes only."""
    minutes = (since_start // 60).astype(int)
    whole = range(int(since_start.max() / 60 + 0.01)) if since_start.size else range(0)
    return tuple(float(np.percentile(seconds[minutes == m], 99)) for m in whole if (minutes == m).any())


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and of those of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(sum(times[:4]))


def cpu_by_part(stack: Stack) -> Counter[str]:
    """CPU seconds that each part of the stack has used so far."""
    used: Counter[str] = Counter()
    for process, part in parts_of(stack):
        used[part] += cpu_seconds(process)  # type: ignore[assignment]
    return used


def memory_by_part(stack: Stack) -> Counter[str]:
    """Bytes of memory of each part: proportional set size, so that shared pages count once."""
    used: Counter[str] = Counter()
    for process, part in parts_of(stack):
        try:
            used[part] += process.memory_full_info().pss
        except psutil.Error:
            continue
    return used


def parts_of(stack: Stack) -> Iterable[tuple[psutil.Process, str]]:
    """The stack's processes, each with the part that it belongs to."""
    heads = {state.pid: name for name, state in Supervisor(stack).states().items() if state.pid}
    for process in marked(stack.state):
        yield process, _part(process, heads)


def spent(before: Mapping[str, float], after: Mapping[str, float], events: int) -> dict[str, float]:
    """CPU microseconds per event of each part, between two readings."""
    used = {part: (after[part] - before.get(part, 0.0)) * 1e6 / max(1, events) for part in after}
    return dict(sorted(((p, u) for p, u in used.items() if u > 0), key=lambda pair: -pair[1]))


def middle(values: Iterable[float]) -> float:
    """The median; not a number where there is nothing."""
    found = list(values)
    return median(found) if found else float("nan")


def _part(process: psutil.Process, heads: Mapping[int, str]) -> str:
    try:
        line = [process, *process.parents()]
    except psutil.Error:
        return "other"
    if any(is_driver(p) for p in line):
        return DRIVER
    return next((heads[p.pid] for p in line if p.pid in heads), "other")
