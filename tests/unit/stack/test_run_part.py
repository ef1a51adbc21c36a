"""A part's process: who supervisord starts twice, or after a crash, or with other settings, still runs once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.condition import came_true
from deploy.local.part_process import MARK, PART, marked, running
from deploy.local.run_part import LOG_BYTES, NICENESS, shorten

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"


class Stack:
    """Starts a part as supervisord does, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "logs" / "part.log"
        self.started: list[subprocess.Popen[bytes]] = []

    def run(self, code: str = SLEEP, digest: str = "one", *more: str) -> subprocess.Popen[bytes]:
        flags = ["--part", "part", "--digest", digest, "--state", str(self.folder), "--log", str(self.log), *more]
        command = [sys.executable, "-m", "deploy.local.run_part", *flags, "--", sys.executable, "-c", code]
        environment = os.environ | {MARK: str(self.folder), PART: "part"}
        process = subprocess.Popen(command, env=environment, process_group=0)
        self.started.append(process)
        return process

    def says(self, words: str) -> bool:
        return came_true(lambda: self.log.exists() and words in self.log.read_text(), 10)

    def processes(self) -> set[int]:
        return {p.pid for p in marked(self.folder) if p.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path)
    yield stack
    for process in marked(tmp_path):
        process.kill()
    for started in stack.started:
        started.wait()


def test_it_becomes_the_part_and_writes_its_log(stack: Stack) -> None:
    process = stack.run()
    assert stack.says("up")
    found = running(stack.folder, "part")
    assert found is not None
    assert (found.pid, stack.processes()) == (process.pid, {process.pid})


def test_a_part_that_steps_back_leads_a_session_of_low_weight(stack: Stack) -> None:
    process = stack.run(SLEEP, "one", "--behind")
    assert stack.says("up")
    assert (os.getsid(process.pid), os.getpgid(process.pid)) == (process.pid, process.pid)
    assert psutil.Process(process.pid).nice() == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
    weight = Path(f"/proc/{process.pid}/autogroup")
    assert not weight.exists() or weight.read_text().split()[-1] == str(NICENESS)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM


def test_a_second_one_stands_in_for_the_first_and_stops_it(stack: Stack) -> None:
    first = stack.run()
    assert stack.says("up")
    second = stack.run()
    assert stack.says("goes on under this one")
    second.send_signal(signal.SIGTERM)
    assert first.wait(10) == -signal.SIGTERM
    assert second.wait(10) == 1
    assert stack.log.read_text().count("up\n") == 1


def test_one_of_other_settings_replaces_the_first(stack: Stack) -> None:
    first = stack.run()
    assert stack.says("up")
    second = stack.run(digest="two")
    assert first.wait(10) == -signal.SIGTERM
    assert came_true(lambda: stack.log.read_text().count("up\n") == 2, 10)
    assert stack.processes() == {second.pid}


def test_children_of_a_killed_part_do_not_run_beside_the_next(stack: Stack) -> None:
    first = stack.run(PARENT)
    assert came_true(lambda: len(stack.processes()) == 2 and stack.log.read_text().count("up\n") == 2, 10)
    first.kill()
    first.wait()
    second = stack.run()
    assert stack.says("left behind by an earlier part")
    assert came_true(lambda: stack.processes() == {second.pid}, 10)


def test_a_long_log_begins_anew_under_whoever_appends_to_it(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    with path.open("ab") as log:
        log.write(b"x" * (LOG_BYTES + 1))
        log.flush()
        shorten(path)
        log.write(b"on")
        log.flush()
        shorten(path)
    assert path.read_bytes() == b"on"
    assert (tmp_path / "part.log.1").stat().st_size == LOG_BYTES + 1
