"""The driver process of a stream group, as seen from the machine that supervises it."""

import os
import signal
import socket
from collections import deque

import psutil

from millrace.control.groups import GroupState
from millrace.launch import APPLICATION, log_file
from millrace.settings import Settings


def kill_driver(group: GroupState) -> bool:
    """Kill the process group that holds the lease; False where it is not on this machine or is no driver of ours."""
    if group.pid is None or group.host != socket.gethostname() or not _is_driver(group.pid):
        return False
    os.killpg(group.pid, signal.SIGKILL)
    return True


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
