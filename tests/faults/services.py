"""Faults of the stack's services: killed, away for a while, or short of disk space."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deploy.local.supervision import PartState, Supervisor
from tests.faults.driver import is_running
from tests.services.platform import await_that
from tests.stack import TestStack

BLOCK = 1 << 20


def state_of(stack: TestStack, part: str) -> PartState:
    return Supervisor(stack.stack).states()[part]


def kill_part(stack: TestStack, part: str) -> int:
    """Kill -9 one part and wait until the supervisor has another process for it that answers; the dead pid."""
    pid = state_of(stack, part).pid
    os.kill(pid, signal.SIGKILL)
    await_that(lambda: not is_running(pid), f"{part}, process {pid}, to be gone", 30)
    await_that(lambda: state_of(stack, part).pid not in {0, pid}, f"another process of {part}", 60)
    stack.start(part)
    return pid


@contextmanager
def away(stack: TestStack, part: str) -> Iterator[None]:
    """A part that does not run, and runs again afterwards."""
    pid = state_of(stack, part).pid
    Supervisor(stack.stack).stop(part)
    assert not is_running(pid)
    try:
        yield
    finally:
        stack.start(part)


@contextmanager
def frozen(stack: TestStack, part: str) -> Iterator[None]:
    """A part that hangs: it takes connections, and answers none. It goes on afterwards."""
    part_of_it = psutil.Process(state_of(stack, part).pid)
    processes = [part_of_it, *part_of_it.children(recursive=True)]
    try:
        for process in processes:
            process.suspend()
        await_that(lambda: {p.status() for p in processes} == {psutil.STATUS_STOPPED}, f"{part} to stand still", 10)
        yield
    finally:
        for process in processes:
            process.resume()


@dataclass(frozen=True)
class SmallDisk:
    """A file system of a few megabytes, which a test may fill."""

    path: Path

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.path).free

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (BLOCK, 4096, 1):
                _write_until_full(ballast.fileno(), size)
        assert self.free < 4096

    def keep_full(self) -> bool:
        """Take what others have freed since."""
        self.fill()
        return True

    def give_space(self) -> None:
        self._ballast.unlink()
        assert self.free > BLOCK


def _write_until_full(file: int, size: int) -> None:
    while True:
        try:
            os.write(file, bytes(size))
        except OSError:
            return


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a file system of so many megabytes on `folder`; skips the test where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    with mounted(folder, f"size={megabytes}m"):
        yield SmallDisk(folder)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """An empty file system in memory over `folder`, which hides what lies there; it is gone afterwards."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs to mount a file system, which this machine refuses: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def hold_for(seconds: float, still: Callable[[], bool]) -> None:
    """Let a fault last so long; fails when it ends by itself."""
    began = time.monotonic()
    await_that(lambda: not still() or time.monotonic() - began >= seconds, f"{seconds:.0f} s to pass", seconds + 30)
    assert still(), f"the fault ended by itself after {time.monotonic() - began:.0f} s"


@contextmanager
def on_small_disk(stack: TestStack, part: str, megabytes: int) -> Iterator[SmallDisk]:
    """One part of the stack with its data on a file system of so many megabytes; they are moved back afterwards."""
    folder = stack.settings.state_dir / part
    aside = folder.with_name(f"{part}.aside")
    with away(stack, part):
        shutil.rmtree(aside, ignore_errors=True)
        copy_folder(folder, aside)
        with mounted(folder, f"size={megabytes}m"):
            copy_folder(aside, folder)
            stack.start(part)
            try:
                yield SmallDisk(folder)
            finally:
                Supervisor(stack.stack).stop(part)
                (folder / "ballast").unlink(missing_ok=True)
                shutil.rmtree(aside)
                copy_folder(folder, aside)
        shutil.rmtree(folder)
        aside.rename(folder)


def copy_folder(source: Path, target: Path) -> None:
    """With owners, modes and holes."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--sparse=always", f"{source}/.", str(target)], check=True)
