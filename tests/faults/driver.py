"""The stream application of a lab, in a process group that a test may do anything to."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
import psycopg
from psycopg.rows import class_row

from deploy.local.part_process import MARK
from millrace.launch import submit_command
from millrace.settings import Settings
from tests.faults.lab import Lab
from tests.services.platform import await_that

START_SECONDS = 240
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A JVM that lives for a minute earns nothing back of what the optimising compiler takes from its start."""
MOST_CRASHES = 5
"""A driver may fail while what it needs is away, but not for ever."""


@dataclass(frozen=True)
class Held:
    """What PostgreSQL says of a stream group, read without Millrace's own code."""

    epoch: int
    pid: int | None
    state: str
    alive: bool
    last_error: str | None


class Driver:
    """Starts the driver, and again whenever it ends, as supervision would; but at once, and in the test's hands."""

    def __init__(self, lab: Lab, environment: dict[str, str]) -> None:
        self.lab = lab
        self.ends: list[int] = []
        """Exit code of each process that has ended; negative for a signal."""
        self._environment = environment | lab.variables() | {MARK: str(lab.settings.state_dir)}
        self._environment |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": lab.settings.host}
        self._environment |= {"JAVA_TOOL_OPTIONS": QUICK_START}
        self._keeping, self._over = threading.Event(), threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = lab.project.parent / f"driver-{len(list(lab.project.parent.glob('driver-*')))}.log"
        self._log.touch()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._keeping.clear()
        self.signal(signal.SIGKILL)
        self._wait()

    @property
    def pid(self) -> int:
        assert self._process is not None, "no driver was started"
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the drivers have said, one after the other."""
        return self._log.read_text(errors="replace")

    def start(self, **variables: str) -> None:
        """Start a process, with further environment variables for it and those that follow it."""
        self._environment |= variables
        self._spawn()
        self._keeping.set()

    def stop(self) -> None:
        """Kill the process, and start no other until `start`."""
        self.hands_off()
        self.kill()

    def hands_off(self) -> None:
        """Start no other process when this one ends."""
        self._keeping.clear()

    def signal(self, number: int) -> None:
        """Send a signal to every process of the group; nothing where none is left."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> int:
        """Kill -9 the driver with its JVM; its pid, once it is gone."""
        pid = self.pid
        self.signal(signal.SIGKILL)
        await_that(lambda: not is_running(pid), f"process {pid} to be gone", 30)
        return pid

    def held(self) -> Held:
        """Who holds the lease of the lab's group."""
        return held(self.lab.settings, self.lab.group)

    def await_running(self, beyond: int = 0) -> Held:
        """Wait until a driver of an epoch beyond this one runs its queries."""
        crashes = self._crashes()

        def runs() -> Held | None:
            assert self._crashes() < crashes + MOST_CRASHES, f"the driver does not stay up:\n{self.log[-3000:]}"
            held = self.held()
            return held if held.alive and held.state == "running" and held.epoch > beyond else None

        found = await_that(runs, f"a running driver of {self.lab.source} beyond epoch {beyond}", START_SECONDS)
        assert found is not None
        return found

    def run(self, *words: str) -> None:
        """Run a `millrace` command in the driver's environment."""
        subprocess.run(["millrace", *words], env=self._environment, check=True, timeout=60)

    def _crashes(self) -> int:
        return sum(code > 0 for code in self.ends)

    def await_log(self, words: str, seconds: float = 120) -> None:
        await_that(lambda: words in self.log, f"'{words}' in {self._log}", seconds)

    def _keep(self) -> None:
        while not self._over.wait(0.1):
            if self._keeping.is_set() and self._process is not None and self._process.poll() is not None:
                self.ends.append(self._process.returncode)
                self._spawn()

    def _spawn(self) -> None:
        self._wait()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                submit_command(self.lab.driver_settings, self.lab.group),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(30)


def held(settings: Settings, group: str) -> Held:
    """Who holds the lease of a stream group, as PostgreSQL has it."""
    sql = """SELECT epoch, pid, state, coalesce(lease_until > now(), false) AS alive, last_error
             FROM ops.stream_groups WHERE group_name = %s"""
    with (
        psycopg.connect(settings.postgres_dsn, connect_timeout=5) as connection,
        connection.cursor(row_factory=class_row(Held)) as cursor,
    ):
        return cursor.execute(sql, (group,)).fetchone() or Held(0, None, "stopped", False, None)


def move(settings: Settings, group: str, host: str) -> None:
    """Have a group's driver seem to run on another machine, where nobody here can look or kill."""
    with psycopg.connect(settings.postgres_dsn, connect_timeout=5) as connection:
        connection.execute("UPDATE ops.stream_groups SET host = %s WHERE group_name = %s", (host, group))


def is_running(pid: int) -> bool:
    """Whether a process lives; one that has ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
