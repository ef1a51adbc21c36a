"""The process supervisor (supervisord): its start, and what it knows of the parts."""

import fcntl
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from time import time
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from deploy.local.part_process import MARK, running
from deploy.local.stack import Part, Stack, write_file
from deploy.local.supervisor_config import log_file, supervisor_config
from millrace.errors import MillraceError

FOREIGN = ("AIRFLOW", "PYTEST_", "PYTHONPATH", "SPARK_TESTING", "SUPERVISOR_", MARK)
RECENT_SECONDS = 3600


@dataclass(frozen=True)
class PartState:
    """What the supervisor says of one part."""

    state: str
    pid: int
    started: int
    detail: str

    @property
    def runs(self) -> bool:
        return self.state in ("RUNNING", "STARTING")

    @property
    def stays(self) -> bool:
        """It runs, and did not end at once, e.g. because another process answers on its port."""
        return self.state == "RUNNING" or (self.state == "STARTING" and time() - self.started >= 1)

    @property
    def wanted(self) -> bool:
        """It runs, or is between two attempts to."""
        return self.runs or self.state in ("BACKOFF", "EXITED")


@dataclass(frozen=True)
class Supervisor:
    """The supervisor of one stack, reached by its socket."""

    stack: Stack

    def _rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.stack.socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def is_up(self) -> bool:
        try:
            return bool(self._rpc().getState()["statename"] == "RUNNING")
        except (OSError, HTTPException):
            return False
        except Fault:  # it is shutting down: there, but not for long
            return True

    @property
    def _config(self) -> Path:
        return self.stack.conf / "supervisord.conf"

    def ensure(self, parts: Iterable[Part], directory: Path) -> None:
        """Run supervisord with the configuration of these parts; parts whose configuration changed are stopped."""
        write_file(self._config, supervisor_config(self.stack, parts, directory), mode=0o600)
        self.stack.logs.mkdir(parents=True, exist_ok=True)
        if not self.start_again():
            self._reload()

    def start_again(self) -> bool:
        """Start supervisord with the configuration that is there; False when one runs. Two callers start one."""
        with (self.stack.conf / ".supervisord.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.is_up():
                return False
            _start_detached(self._config)
            self._wait(up=True)
            return True

    def _reload(self) -> None:
        added, changed, removed = self._rpc().reloadConfig()[0]
        for name in (*changed, *removed):
            self.stop(name)
            self._rpc().removeProcessGroup(name)
        for name in (*added, *changed):
            self._rpc().addProcessGroup(name)

    def start(self, name: str) -> None:
        """Start a part, unless it runs."""
        _ignoring(Faults.ALREADY_STARTED, lambda: self._rpc().startProcess(name, False))

    def stop(self, name: str) -> None:
        """Stop a part and wait until it is gone."""
        _ignoring(Faults.NOT_RUNNING, lambda: self._rpc().stopProcess(name, True))

    def states(self) -> Mapping[str, PartState]:
        """State by part; empty when no supervisor runs, or it is shutting down."""
        try:
            states = [_state(row) for row in self._rpc().getAllProcessInfo()]
        except (OSError, HTTPException, Fault):
            return {}
        return {name: self._with_own_pid(name, state) for name, state in states}

    def _with_own_pid(self, name: str, state: PartState) -> PartState:
        """The part's process itself, where another stands in for it."""
        process = running(self.stack.state, name) if state.runs else None
        return replace(state, pid=process.pid) if process else state

    def restarts(self) -> Counter[str]:
        """How often each part ended by itself in the last hour, so that a crash loop is seen."""
        log = log_file(self.stack, "supervisord")
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        since = (datetime.now() - timedelta(seconds=RECENT_SECONDS)).isoformat(sep=" ")  # noqa: DTZ005 - local, as it is
        ends = (re.match(r"(\S+ \S+) \S+ exited: (\S+) ", line) for line in lines)
        return Counter(end.group(2) for end in ends if end and end.group(1) > since)

    def shutdown(self) -> None:
        """Stop every part and then the supervisor itself."""
        if self.is_up():
            self._rpc().shutdown()
            self._wait(up=False)

    def _wait(self, up: bool) -> None:
        for attempt in Retrying(
            stop=stop_after_delay(90), wait=wait_exponential(0.05, max=1), retry=retry_if_exception_type(TimeoutError)
        ):
            with attempt:
                if self.is_up() != up:
                    raise TimeoutError(f"supervisord is still {'down' if up else 'up'}; see {self.stack.logs}")


def _state(row: dict[str, Any]) -> tuple[str, PartState]:
    return row["name"], PartState(row["statename"], row["pid"], row["start"], row["spawnerr"])


def _ignoring(code: int, call: Any) -> None:
    try:
        call()
    except Fault as fault:
        if fault.faultCode != code:
            raise


def _start_detached(config: Path) -> None:
    """supervisord makes itself a daemon; it must not inherit a terminal of ours, and its parts need many open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=inherited(os.environ)
    )
    if done.returncode != 0:
        raise MillraceError(f"the supervisor did not start: {done.stderr.strip()}")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, without what would configure the parts past their own files: another Airflow's, say."""
    return {name: value for name, value in environ.items() if not name.startswith(FOREIGN)}
