"""Processes of this stack that no supervisor looks after any more, e.g. because it was killed."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from deploy.local.stack import Stack
from deploy.local.supervision import MARK

STREAM_DRIVER = "stream_group.py"
"""On the command line of stream drivers, which outlive Airflow and the supervisor on purpose."""


def end_leftovers(stack: Stack) -> int:
    """End this stack's orphans, but no stream driver; the number of processes ended."""
    drivers = [p for p in processes_of(stack) if is_stream_driver(p)]
    spared = {p.pid for d in drivers for p in (d, *_children(d))}
    return end(p for p in processes_of(stack) if p.pid not in spared)


def stream_drivers(stack: Stack) -> list[psutil.Process]:
    return [p for p in processes_of(stack) if is_stream_driver(p)]


def is_stream_driver(process: psutil.Process) -> bool:
    try:
        return any(word.endswith(STREAM_DRIVER) for word in process.cmdline())
    except psutil.Error:
        return False


def end(processes: Iterable[psutil.Process], seconds: float = 5.0) -> int:
    """Ask processes to end, and kill those that have not after so many seconds."""
    found = list(processes)
    for process in found:
        _quietly(process.terminate)
    _, alive = psutil.wait_procs(found, timeout=seconds)
    for process in alive:
        _quietly(process.kill)
    psutil.wait_procs(alive, timeout=5)
    return len(found)


def processes_of(stack: Stack) -> list[psutil.Process]:
    """Processes that carry the mark of this stack in the environment they were started with."""
    return [p for p in psutil.process_iter() if _mark(p) == str(stack.state)]


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _quietly(call: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        call()
