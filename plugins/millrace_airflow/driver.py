"""The driver process of a stream group, as seen from the machine that supervises it."""

import os
import signal
import socket
from collections import deque

import psutil

from millrace.launch import APPLICATION, log_file
from millrace.settings import Settings

KILL_SECONDS = 10.0


def kill_driver(pid: int) -> None:
    """Kill a driver of this machine with all its processes, and wait until it is gone; nothing if it is already."""
    if not _is_driver(pid):
        return
    os.killpg(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=KILL_SECONDS)


def _is_driver(pid: int) -> bool:
    """Process ids are used again: make sure that this one still runs the stream application."""
    try:
        return any(str(APPLICATION) in part for part in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False


def has_ended(pid: int, host: str) -> bool:
    """Whether a process of this machine is over; nothing can be told of another machine's."""
    if host != socket.gethostname():
        return False
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def log_tail(settings: Settings, group: str, lines: int = 15) -> str:
    """The last lines of the driver's log, or where it would be."""
    path = log_file(settings, group)
    if not path.exists():
        return f"(no log at {path})"
    with path.open(errors="replace") as log:
        return f"last lines of {path}:\n" + "".join(deque(log, maxlen=lines))
