"""Processes of this stack that no supervisor looks after any more, e.g. because it was killed."""

import signal
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from deploy.local.part_process import marked, processes_of, running
from deploy.local.stack import Part, Stack
from millrace.driver_process import children, is_driver


def end_leftovers(stack: Stack) -> int:
    """End this stack's orphans, but no stream driver; the number of processes ended."""
    drivers = [p for p in marked(stack.state) if is_driver(p)]
    spared = {p.pid for d in drivers for p in (d, *children(d))}
    return end(p for p in marked(stack.state) if p.pid not in spared)


def end_part(stack: Stack, part: Part) -> None:
    """End a part's process if it goes on without its supervisor: first as the part wants to be stopped."""
    left = running(stack.state, part.name)
    if left is None:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(left.pid)
        process.send_signal(signal.Signals[f"SIG{part.stop_signal}"])
        psutil.wait_procs([process], timeout=part.stop_seconds)
    end(processes_of(stack.state, part.name))


def stream_drivers(stack: Stack) -> list[psutil.Process]:
    """The processes of drivers, which outlive Airflow and the supervisor on purpose."""
    return [p for p in marked(stack.state) if is_driver(p)]


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


def _quietly(call: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        call()
