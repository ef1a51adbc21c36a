"""The stack that service tests run on: the same parts as `make up`, in a folder and on ports of the tests' own."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from deploy.local import lifecycle
from deploy.local.credentials import load_stack
from deploy.local.stack import Stack
from millrace.settings import Settings


@dataclass(frozen=True)
class TestStack:
    """Starts parts when a test needs them. Its contracts are a copy in `project`, into which tests may drop files."""

    __test__ = False
    project: Path

    @cached_property
    def stack(self) -> Stack:
        return load_stack()

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    @property
    def environment(self) -> dict[str, str]:
        """Environment for programs that a test starts against this stack."""
        return dict(os.environ) | self.stack.environment()

    def start(self, *names: str) -> None:
        """Bring up these parts and steps (all without names) and wait until they answer. Repeatable."""
        lifecycle.up(self.stack, names or lifecycle.everything(self.stack), Console(stderr=True))

    def stop(self) -> None:
        lifecycle.down(self.stack, Console(stderr=True))
