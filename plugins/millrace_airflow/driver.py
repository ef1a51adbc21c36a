"""The driver of a stream group, as seen from the machine that supervises it."""

import socket
from collections import deque
from enum import StrEnum

from millrace.control.groups import GroupState
from millrace.driver_process import driver_processes
from millrace.launch import log_file
from millrace.settings import Settings


class Seen(StrEnum):
    """What this machine can tell of a driver's process."""

    RUNS = "runs"
    """It is there: at work, hung, or stopped by a signal."""
    ENDED = "ended"
    ELSEWHERE = "elsewhere"
    """Another machine's, of which nothing can be told, or nobody's."""


def look(group: GroupState) -> Seen:
    """The process that holds the group's lease, or held it last."""
    if group.pid is None or group.host is None:
        return Seen.ELSEWHERE
    return look_at(group.pid, group.host)


def look_at(pid: int, host: str) -> Seen:
    if host != socket.gethostname():
        return Seen.ELSEWHERE
    return Seen.RUNS if driver_processes(pid) else Seen.ENDED


def log_tail(settings: Settings, group: str, lines: int = 15) -> str:
    """The last lines of the driver's log, or where it would be."""
    path = log_file(settings, group)
    if not path.exists():
        return f"(no log at {path})"
    with path.open(errors="replace") as log:
        return f"last lines of {path}:\n" + "".join(deque(log, maxlen=lines))
