"""The process supervisor (supervisord): its configuration, its start, and what it knows of the parts."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from deploy.local.stack import Part, Stack, write_file
from millrace.errors import MillraceError

FOREIGN = ("AIRFLOW", "PYTEST_", "PYTHONPATH", "SPARK_TESTING")
MARK = "STACK_OF_STATE_DIR"
"""Environment variable that every part inherits: tells this stack's processes from all others, whoever their parent."""

HEADER = """[supervisord]
pidfile={pidfile}
logfile={log}
logfile_maxbytes=2MB
logfile_backups=1
identifier=millrace
silent=true

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

# Parts are started by name, in order: hence no autostart.
PROGRAM = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
autostart=false
autorestart=true
startsecs=1
startretries=5
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={as_group}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


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


def supervisor_config(stack: Stack, parts: Iterable[Part], directory: Path) -> str:
    """The configuration of supervisord: one program for each part that is not external."""
    header = HEADER.format(
        pidfile=stack.state / "supervisord.pid", log=stack.logs / "supervisord.log", socket=stack.socket
    )
    return header + "".join(_program(stack, part, directory) for part in parts if not part.external)


def _program(stack: Stack, part: Part, directory: Path) -> str:
    environment = stack.environment() | {MARK: str(stack.state)} | dict(part.env)
    return PROGRAM.format(
        name=part.name,
        command=" ".join(_quoted(word) for word in part.command),
        directory=directory,
        environment=",".join(f"{key}={_quoted(value)}" for key, value in sorted(environment.items())),
        stop_signal=part.stop_signal,
        stop_seconds=part.stop_seconds,
        as_group="false" if part.name == "postgres" else "true",
        log=log_file(stack, part.name),
    )


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def log_file(stack: Stack, part: str) -> Path:
    return stack.logs / f"{part}.log"


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

    def ensure(self, parts: Iterable[Part], directory: Path) -> None:
        """Run supervisord with the configuration of these parts; parts whose configuration changed are stopped."""
        config = self.stack.conf / "supervisord.conf"
        write_file(config, supervisor_config(self.stack, parts, directory), mode=0o600)
        self.stack.logs.mkdir(parents=True, exist_ok=True)
        if self.is_up():
            self._reload()
        else:
            _start_detached(config)
            self._wait(up=True)

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
        """State by part; empty when no supervisor runs."""
        if not self.is_up():
            return {}
        rows = self._rpc().getAllProcessInfo()
        return {r["name"]: PartState(r["statename"], r["pid"], r["start"], r["spawnerr"]) for r in rows}

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
