"""What the last driver of a stream group left on this machine, ended before another takes its place."""

import logging
import os
import socket

from psycopg import Connection

from millrace.control.groups import Lease, read_group, release
from millrace.driver_process import driver_processes, kill_driver

log = logging.getLogger(__name__)


def end_predecessor(conn: Connection, group: str) -> None:
    """Kill what is left of a driver that died or lost its lease, so that it can never write again; a driver that is at
    work is left alone, and keeps its lease. Raises nothing when there was none, or when it ran on another machine."""
    last = read_group(conn, group)
    if last.pid is None or last.host != socket.gethostname() or last.pid == os.getpgrp():
        return
    if last.alive and driver_processes(last.pid):
        return
    if killed := kill_driver(last.pid):
        log.warning(
            "killed %d processes of epoch %d, whose lease had run out: they hung or were stopped", killed, last.epoch
        )
    if last.holder is not None:
        release(conn, Lease(group, last.holder, last.epoch))
