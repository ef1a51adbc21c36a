"""The stack of one machine: where its files lie, and which address each part has."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from millrace.settings import PREFIX, ROOT, Settings

UNIX_SOCKET_LIMIT = 100
"""Linux refuses socket paths of 108 bytes and more; the supervisor appends a few of its own while it starts."""


@dataclass(frozen=True)
class Stack:
    """One stack: its settings, and the `MILLRACE_*` variables that its user gave (passed on to every part)."""

    settings: Settings
    given: Mapping[str, str]

    @property
    def state(self) -> Path:
        return self.settings.state_dir

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def conf(self) -> Path:
        return self.state / "conf"

    @property
    def downloads(self) -> Path:
        return self.settings.downloads

    @property
    def socket(self) -> Path:
        """The supervisor's socket: in the state folder, unless that path is too long for a socket."""
        path = self.state / "supervisor.sock"
        if len(str(path)) < UNIX_SOCKET_LIMIT:
            return path
        digest = hashlib.sha256(str(self.state).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"millrace-{digest}.sock"

    def is_external(self, setting: str) -> bool:
        """Whether the user pointed this address at a service that already runs."""
        return bool(self.given.get(f"{PREFIX}{setting}".upper()))

    def environment(self) -> dict[str, str]:
        """What every part and every task gets: the user's settings, this project on the path, the venv's programs."""
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return dict(self.given) | {
            f"{PREFIX}STATE_DIR": str(self.state),
            "PATH": tools,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
            "PYTHONUNBUFFERED": "1",
            "SPT_NOENV": "1",  # process titles must not overwrite the environment, by which we know our own
            "TZ": "UTC",
        }


def this_stack(settings: Settings, environ: Mapping[str, str]) -> Stack:
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    return Stack(settings.model_copy(update={"state_dir": settings.state_dir.resolve()}), given)


def _nothing() -> None:
    """A step that a part does not need."""


@dataclass(frozen=True)
class Part:
    """One process of the stack. Functions are effects; everything else is plain data for the supervisor's config."""

    name: str
    address: str
    command: tuple[str, ...]
    check: Callable[[], None]
    """Returns when the part answers for real; raises anything otherwise."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Setting name of each port that the part listens on, and its number."""
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    """Parts that have to answer before this one starts."""
    downloads: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing
    """Runs before each start; writes configuration and first-time data. Repeatable."""
    finish: Callable[[], None] = _nothing
    """Runs once the part answers; creates what belongs in it. Repeatable."""
    external: str = ""
    """Name of the setting that points at a service of the user's own, when it does; then nothing is started."""
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    behind: bool = False
    """True for a part that gives way: where cores are few, streams go on while an hour is refined."""
    deadline: float = 180.0
    """Seconds to answer in. Generous: a process that ends is noticed at once, only a busy machine needs this long."""


def java() -> str:
    """The java to run: JAVA_HOME's, else the one on the PATH."""
    home = os.environ.get("JAVA_HOME", "")
    return str(Path(home, "bin", "java")) if home else (shutil.which("java") or "java")


def write_file(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a whole file, or leave the old one: never half of it, and never readable by more than `mode` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
        out.write(text)
    partial.replace(path)
