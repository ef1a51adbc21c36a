"""The configuration of the process supervisor (supervisord): one program for each part, and a guard over itself."""

import hashlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.local import downloads
from deploy.local.part_process import MARK, packed
from deploy.local.stack import Part, Stack

GUARD = "guard"
DOWNLOADED = "PART_DOWNLOADED"
"""Variable of a part that loads what was downloaded or compiled: when that changes, `make up` starts the part anew."""

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

# Parts are started by name, in order: hence no autostart. One that ends within startsecs is tried again for ever, after
# one second more each time: a full disk or a port that is taken for a while must not end it for good.
PROGRAM = """
[program:{name}]
command={command}
directory={directory}
environment={environment}
autostart={autostart}
autorestart=true
startsecs=10
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={as_group}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=0
"""


def supervisor_config(stack: Stack, parts: Iterable[Part], directory: Path) -> str:
    """The configuration of supervisord: one program for each part that is not external."""
    header = HEADER.format(
        pidfile=stack.state / "supervisord.pid", log=stack.logs / "supervisord.log", socket=stack.socket
    )
    programs = [_program(stack, part, directory) for part in parts if not part.external]
    return header + "".join([*programs, _guard(stack, directory)])


def log_file(stack: Stack, part: str) -> Path:
    return stack.logs / f"{part}.log"


def _program(stack: Stack, part: Part, directory: Path) -> str:
    return _section(
        stack,
        part.name,
        command=part.command,
        environment={**part.env, DOWNLOADED: downloads.version(part.downloads)} if part.downloads else part.env,
        directory=directory,
        autostart=False,
        stop=(part.stop_signal, part.stop_seconds),
        flags=(*(("--leader-only",) if part.name == "postgres" else ()), *(("--behind",) if part.behind else ())),
    )


def _guard(stack: Stack, directory: Path) -> str:
    command = (sys.executable, "-m", "deploy.local.guard")
    return _section(
        stack,
        GUARD,
        command=command,
        environment={},
        directory=directory,
        autostart=True,
        stop=("TERM", 10),
        flags=(),
    )


def _section(
    stack: Stack,
    name: str,
    *,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    autostart: bool,
    stop: tuple[str, int],
    flags: tuple[str, ...],
) -> str:
    variables = stack.environment() | {MARK: str(stack.state)} | dict(environment)
    digest = hashlib.sha256(repr((command, sorted(variables.items()))).encode()).hexdigest()[:16]
    runner = (
        *(sys.executable, "-m", "deploy.local.run_part", "--part", name, "--digest", digest),
        *("--state", str(stack.state), "--log", str(log_file(stack, name))),
        *flags,
    )
    return PROGRAM.format(
        name=name,
        command=" ".join(_quoted(word) for word in (*runner, "--", *command)),
        directory=directory,
        environment=",".join(f"{key}={_quoted(value)}" for key, value in sorted(packed(variables).items())),
        autostart=str(autostart).lower(),
        stop_signal=stop[0],
        stop_seconds=stop[1],
        as_group=str("--leader-only" not in flags).lower(),
        log=log_file(stack, name),
    )


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
