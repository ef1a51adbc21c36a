"""What supervisord runs as each part: becomes the part, or stands in for one that outlived an earlier supervisor.

Whatever an earlier process of the part left behind is ended first, so that a part never runs twice. The part writes to
its log itself: a pipe to the supervisor would break with it, and the part with the pipe.
"""

import argparse
import logging
import os
import select
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

from deploy.local.part_process import PartProcess, keep, processes_of, running, unpack

log = logging.getLogger(__name__)
LOG_BYTES = 20_000_000
STOP_SECONDS = 20.0
NICENESS = 10
AUTOGROUP = Path("/proc/self/autogroup")
"""Where Linux tells the weight of this process's session, and takes another."""
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


@dataclass(frozen=True)
class Order:
    """What to run: `leader_only` parts get signals themselves, others with all of their process group."""

    part: str
    digest: str
    state: Path
    log: Path
    leader_only: bool
    behind: bool
    command: tuple[str, ...]


def main(arguments: Sequence[str]) -> int:
    order = _order(arguments)
    unpack(os.environ)
    _write_to(order.log)
    alive = running(order.state, order.part)
    return _stand_in(order, alive) if alive is not None and alive.digest == order.digest else _become(order)


def _become(order: Order) -> NoReturn:
    _end_all(order)
    if order.behind:
        _step_back()
    keep(order.state, PartProcess(order.part, os.getpid(), order.digest))
    os.execvp(order.command[0], order.command)  # noqa: S606 - the supervisor's configuration says what to run


def _order(arguments: Sequence[str]) -> Order:
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", required=True)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--leader-only", action="store_true")
    parser.add_argument("--behind", action="store_true")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(arguments)
    return Order(**vars(given) | {"command": tuple(given.command)})


def _step_back() -> None:
    """Leave the processor to others. Linux may weigh whole sessions, and a priority only counts within its own."""
    if os.getsid(0) != os.getpid():
        os.setpgid(0, os.getpgid(os.getppid()))  # whoever leads a process group cannot begin a session
        os.setsid()
    os.nice(NICENESS)
    if AUTOGROUP.exists():
        AUTOGROUP.write_text(str(NICENESS))


def _write_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shorten(path)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.close(target)


def shorten(path: Path) -> None:
    """Move what a long log holds aside; whoever appends to it goes on at its new beginning."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)


def _stand_in(order: Order, process: PartProcess) -> int:
    """Pass signals on, and end when it does: the supervisor then starts the part anew."""
    log.warning("pid %d outlived its supervisor, and goes on under this one", process.pid)
    handle = os.pidfd_open(process.pid)
    for number in FORWARDED:
        signal.signal(number, lambda got, _: _send(order, process, got))
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    return 1


def _send(order: Order, process: PartProcess, number: int) -> None:
    try:
        (os.kill if order.leader_only else os.killpg)(process.pid, number)
    except ProcessLookupError:
        return


def _end_all(order: Order) -> None:
    """A process of other settings is asked to stop; what has lost its head is killed."""
    asked = running(order.state, order.part)
    if asked is not None:
        _send(order, asked, signal.SIGINT if order.leader_only else signal.SIGTERM)
        psutil.wait_procs([psutil.Process(asked.pid)] if psutil.pid_exists(asked.pid) else [], timeout=STOP_SECONDS)
    left = processes_of(order.state, order.part)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        log.warning("killed pid %d, left behind by an earlier %s", process.pid, order.part)
    psutil.wait_procs(left, timeout=5)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervision: %(message)s")
    sys.exit(main(sys.argv[1:]))
