"""What a start finds: another one at work, and what a killed server left behind."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest
from rich.console import Console

from deploy.local.condition import came_true
from deploy.local.credentials import ensure_secrets
from deploy.local.postgres_server import drop_stale_lock
from deploy.local.stack import Stack, this_stack
from deploy.local.turn import turn
from millrace.settings import read_settings, secrets_file


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return this_stack(read_settings().model_copy(update={"state_dir": tmp_path / "fresh"}), {})


def test_who_comes_second_waits_and_says_for_whom(stack: Stack) -> None:
    said, entered = StringIO(), Event()

    def second() -> None:
        with turn(stack, "down", Console(file=said, width=200)):
            entered.set()

    with turn(stack, "up", Console(file=StringIO())):
        waiting = Thread(target=second)
        waiting.start()
        assert came_true(lambda: f"waiting for `make up` (pid {os.getpid()})" in said.getvalue(), 10)
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()


def test_who_waits_no_longer_goes_on_beside_the_other(stack: Stack) -> None:
    said = StringIO()
    with turn(stack, "up", Console(file=StringIO())):
        with turn(stack, "down", Console(file=said, width=200), patience=0.5):
            assert f"`make up` (pid {os.getpid()}) takes long: going on beside it" in said.getvalue()
        with turn(stack, "down", Console(file=(again := StringIO()), width=200), patience=0.5):
            assert "`make up`" in again.getvalue(), "who only passes by does not take the holder's name away"


@pytest.mark.parametrize("time", range(20))
def test_two_first_starts_make_one_set_of_secrets(time: int, tmp_path: Path) -> None:
    read, together = [], Barrier(8)

    def first_start() -> None:
        together.wait()
        ensure_secrets(tmp_path)
        read.append(secrets_file(tmp_path).read_text())

    starts = [Thread(target=first_start) for _ in range(8)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(read) == 8
    assert len(set(read)) == 1


@contextmanager
def running(program: str, *options: str) -> Iterator[int]:
    """A process that looks like that, and waits."""
    command = [program, "-c", "read line", *options]
    with subprocess.Popen(command, executable="/bin/sh", stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate()


@pytest.mark.parametrize(
    ("program", "serves", "stays"),
    [
        ("/bin/postgres", "data", True),
        ("/bin/postgres", "link", True),
        ("/bin/postgres", "other", False),
        ("/bin/vi", "data", False),
    ],
)
def test_a_lock_stays_where_a_server_of_the_folder_holds_it(
    program: str, serves: str, stays: bool, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    with running(program, "-D", str(tmp_path / serves)) as pid:
        (data / "postmaster.pid").write_text(f"{pid}\n{data}\n")
        drop_stale_lock(data)
        assert (data / "postmaster.pid").exists() is stays


@pytest.mark.parametrize("content", ["", f"{2**22 + 1}\n"])
def test_a_lock_of_nobody_goes(content: str, tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(content)
    drop_stale_lock(tmp_path)
    drop_stale_lock(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()
