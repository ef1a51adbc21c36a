"""The processes of a stream group's driver, as seen from the machine that they run on."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

APPLICATION = Path(__file__).resolve().parents[1] / "spark_jobs" / "stream_group.py"
"""On the command line of every process of a driver, by its name at least: process ids are used again, and this tells a
driver from others."""
KILL_SECONDS = 10.0


def driver_processes(group_id: int) -> list[psutil.Process]:
    """Living processes of the driver that was started as `group_id`, a process group or its leader.

    The JVM leads the group and Python is its child; when one of them was killed, the other may still be there.
    """
    pids = {group_id} | {pid for pid in psutil.pids() if _process_group(pid) == group_id}
    found = [process for pid in sorted(pids) if (process := _process(pid)) is not None]
    return [process for process in found if is_driver(process)]


def is_driver(process: psutil.Process) -> bool:
    """Whether it is part of a stream driver; a zombie has no command line, and is none."""
    try:
        return any(word.endswith(APPLICATION.name) for word in process.cmdline())
    except psutil.Error:
        return False


def kill_driver(group_id: int) -> int:
    """Kill what is left of a driver with all its children, and wait until it is gone; the number of processes."""
    found = driver_processes(group_id)
    doomed = {*found, *(child for process in found for child in children(process))}
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(doomed, timeout=KILL_SECONDS)
    return len(doomed)


def _process_group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def children(process: psutil.Process) -> list[psutil.Process]:
    """All descendants; none of a process that is gone."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []
