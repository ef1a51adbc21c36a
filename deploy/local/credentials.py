"""The secrets that a stack makes for itself on its first start, and keeps."""

import fcntl
import os
import secrets
from pathlib import Path

from deploy.local.stack import Stack, this_stack, write_file
from millrace.settings import PREFIX, read_settings, secrets_file

NAMES = ("PSEUDONYM_KEY", "CLICKHOUSE_PASSWORD", "DASHBOARD_PASSWORD", "POSTGRES_PASSWORD", "AIRFLOW_PASSWORD")


def load_stack() -> Stack:
    """The stack that the settings describe; its secrets are made if this is its first time."""
    ensure_secrets(read_settings().state_dir)
    return this_stack(read_settings(), os.environ)


def ensure_secrets(state_dir: Path) -> None:
    """Write the secrets that are not there yet, readable by their owner only; those that are there stay."""
    path = secrets_file(state_dir)
    if not _missing(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:  # two first starts at once make one set of them
        fcntl.flock(lock, fcntl.LOCK_EX)
        _complete(path)


def _complete(path: Path) -> None:
    if missing := _missing(path):
        made = [f"{name}={secrets.token_urlsafe(24)}" for name in missing]
        write_file(path, "\n".join([*_lines(path), *made]) + "\n", mode=0o600)


def _missing(path: Path) -> list[str]:
    present = {line.partition("=")[0] for line in _lines(path)}
    return [f"{PREFIX}{name}" for name in NAMES if f"{PREFIX}{name}" not in present]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
