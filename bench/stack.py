"""The stack that figures are measured on: a folder and ports of its own, or the one that MILLRACE_STATE_DIR names."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from deploy.local import downloads, lifecycle
from deploy.local.condition import came_true
from deploy.local.credentials import load_stack
from deploy.local.stack import Stack
from millrace import names
from millrace.contracts.catalog import Catalog, read_catalog
from millrace.contracts.source import Source
from millrace.control.database import connect
from millrace.control.groups import Desired, read_group, set_desired
from millrace.errors import TransientError
from millrace.launch import inherited
from millrace.settings import PREFIX, ROOT, Settings

STATE = ROOT / ".millrace-bench"
SOURCE = "user_events"
SERVICES = ("postgres", "kafka", "registry", "clickhouse", lifecycle.DEPLOY)
_OWN = {"STATE_DIR": str(STATE), "PORT_OFFSET": "20000", "SIMULATOR_RATE": "0"}
_WISH_SECONDS = 180.0


def choose_stack() -> None:
    """Point this process, and what it starts, at the stack to measure on; the user's own choice wins."""
    if f"{PREFIX}STATE_DIR" not in os.environ:
        os.environ |= {f"{PREFIX}{name}": value for name, value in _OWN.items()}


@dataclass(frozen=True)
class BenchStack:
    """A stack under measurement."""

    console: Console

    @cached_property
    def stack(self) -> Stack:
        return load_stack()

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    @property
    def environment(self) -> dict[str, str]:
        """For programs started against this stack: they are no clients of its Connect server, as this one is."""
        return inherited() | self.stack.environment()

    @cached_property
    def catalog(self) -> Catalog:
        return read_catalog(self.settings.project_dir)

    @property
    def source(self) -> Source:
        return self.catalog.source(SOURCE)

    @property
    def scratch(self) -> Path:
        """For lakes, checkpoints and logs of a measurement."""
        folder = self.stack.state / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, *parts: str) -> None:
        """Bring up these parts and steps, and what drivers need; without names all but a first medallion run."""
        downloads.ensure(downloads.ENGINE, self.stack.downloads)
        everything = [name for name in lifecycle.everything(self.stack) if name != lifecycle.FIRST_RUN]
        lifecycle.up(self.stack, parts or everything, self.console)

    def stop(self) -> None:
        lifecycle.down(self.stack, self.console)

    @contextmanager
    def streams(self, desired: Desired) -> Iterator[None]:
        """Have the stream group in this state for a while, then as it was before; nothing where no driver lives."""
        with connect(self.settings) as conn:
            before = read_group(conn, names.STREAM_GROUP)
        if not before.alive or before.desired == desired:
            yield
            return
        self._wish(desired)
        try:
            yield
        finally:
            self._wish(before.desired)

    def run(self, command: list[str], log: Path, more: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start a program of the measurement; its output goes to `log`."""
        with log.open("ab") as out:
            return subprocess.Popen(command, env=self.environment | dict(more or {}), cwd=ROOT, stdout=out, stderr=out)

    def python(self, module: str, *arguments: object) -> list[str]:
        return [sys.executable, "-m", module, *map(str, arguments)]

    def _wish(self, desired: Desired) -> None:
        with connect(self.settings) as conn:
            set_desired(conn, names.STREAM_GROUP, desired, "bench")
            if not came_true(lambda: read_group(conn, names.STREAM_GROUP).state == desired, _WISH_SECONDS):
                raise TransientError(f"the stream group is not {desired} after {_WISH_SECONDS:.0f} s")
