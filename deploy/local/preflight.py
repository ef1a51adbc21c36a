"""What has to be true before anything starts: each problem says what was found, what is needed, and what to do."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterable

import psutil

from deploy.local.stack import Part, Stack, java
from deploy.local.supervision import Supervisor
from millrace.errors import ConfigError
from millrace.settings import PREFIX

GIGABYTE = 1_000_000_000
JAVA_VERSION = 17
FREE_DISK = 4 * GIGABYTE
FREE_MEMORY = 5 * GIGABYTE
"""A whole stack was measured at 4 GB."""


def check_machine(stack: Stack, wanted: Iterable[Part]) -> None:
    """Raise ConfigError with every problem at once; a part that runs already holds its ports rightly."""
    states = Supervisor(stack).states()
    starting = [p for p in wanted if not p.external and not (p.name in states and states[p.name].runs)]
    problems = [*_java_problems(), *_disk_problems(stack), *_port_problems(stack, starting)]
    if len(starting) > len(states) // 2:
        problems += memory_problems(psutil.virtual_memory().available)
    if problems:
        raise ConfigError("the stack was not started:\n" + "\n".join(f"  - {problem}" for problem in problems))


def java_major(version_text: str) -> int:
    """Major version out of what `java -version` prints, e.g. 17 for `openjdk version "17.0.15"`; 0 when it has none."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(found.group(1)) if found else 0


def _java_problems() -> list[str]:
    program = java()
    if not shutil.which(program):
        return [f"no java on the PATH: install Java {JAVA_VERSION} or newer (Debian: openjdk-17-jre-headless)"]
    found = java_major(subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr)
    if found < JAVA_VERSION:
        return [f"{program} is Java {found}, {JAVA_VERSION} or newer is needed: set JAVA_HOME or the PATH to one"]
    return []


def _disk_problems(stack: Stack) -> list[str]:
    stack.state.mkdir(parents=True, exist_ok=True)
    return disk_problems(shutil.disk_usage(stack.state).free, str(stack.state))


def disk_problems(free: int, folder: str) -> list[str]:
    if free >= FREE_DISK:
        return []
    needed = f"{free / GIGABYTE:.1f} GB are free under {folder}, {FREE_DISK / GIGABYTE:.0f} GB are needed"
    return [f"{needed}: make room, or set {PREFIX}STATE_DIR to a folder on another disk"]


def memory_problems(available: int) -> list[str]:
    if available >= FREE_MEMORY:
        return []
    needed = f"{available / GIGABYTE:.1f} GB of memory are free, {FREE_MEMORY / GIGABYTE:.0f} GB are needed"
    return [
        f"{needed}: end other programs, or lower {PREFIX}STREAM_MEMORY and {PREFIX}CONNECT_MEMORY on a small machine"
    ]


def _port_problems(stack: Stack, parts: Iterable[Part]) -> list[str]:
    ports = [(part.name, setting, port) for part in parts for setting, port in part.ports.items()]
    return [
        f"port {port} of {name} is taken{_holder(port)}: stop it, or set {PREFIX}{setting.upper()} to a free port "
        f"(or {PREFIX}PORT_OFFSET to move all of them)"
        for name, setting, port in ports
        if _taken(stack.settings.host, port)
    ]


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _holder(port: int) -> str:
    """Who listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
