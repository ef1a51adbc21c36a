"""One command at a time brings a stack up or down: two would make its databases and its tables beside each other."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from deploy.local.stack import Stack


@contextmanager
def turn(stack: Stack, command: str, console: Console) -> Iterator[None]:
    """Hold the stack for the block; who comes second waits, and is told for whom. The lock goes with its holder."""
    stack.state.mkdir(parents=True, exist_ok=True)
    with (stack.state / ".turn.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            console.print(f"waiting for {lock.read().strip() or 'another command'}, which works on {stack.state}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"`make {command}` (pid {os.getpid()})")
        lock.flush()
        yield
