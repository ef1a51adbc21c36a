"""One command at a time brings a stack up or down: two would make its databases and its tables beside each other."""

import fcntl
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from rich.console import Console

from deploy.local.condition import came_true
from deploy.local.stack import Stack


@contextmanager
def turn(stack: Stack, command: str, console: Console, patience: float = math.inf) -> Iterator[None]:
    """Hold the stack for the block; who comes second waits, and is told for whom. The lock goes with its holder.

    After `patience` seconds the block begins beside the other one.
    """
    stack.state.mkdir(parents=True, exist_ok=True)
    with (stack.state / ".turn.lock").open("a+b", buffering=0) as lock:
        if _taken(lock) or _waited(lock, stack, console, patience):
            with suppress(OSError):  # the disk may be full, and the text is for people
                lock.truncate(0)
                lock.write(f"`make {command}` (pid {os.getpid()})".encode())
        yield


def _waited(lock: FileIO, stack: Stack, console: Console, patience: float) -> bool:
    lock.seek(0)
    holder = lock.read().decode().strip() or "another command"
    console.print(f"waiting for {holder}, which works on {stack.state}")
    if came_true(lambda: _taken(lock), patience):
        return True
    console.print(f"{holder} takes long: going on beside it; kill it, should it bring up anything again")
    return False


def _taken(lock: FileIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
