"""Reads the logs of the parts."""

import subprocess
from pathlib import Path

from rich.console import Console

from millrace.errors import ConfigError


def show_logs(folder: Path, part: str, lines: int, follow: bool, console: Console) -> None:
    """Print the last lines of one part's log, or a few of each; `tail` follows a log better than we would."""
    files = _files(folder, part)
    if part:
        subprocess.run(["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, files)], check=False)
        return
    for file in files:
        console.rule(file.name, align="left")
        subprocess.run(["tail", "-n", "5", str(file)], check=False)


def _files(folder: Path, part: str) -> list[Path]:
    found = sorted(folder.glob(f"{part}*.log"))
    if not found:
        names = ", ".join(path.stem for path in sorted(folder.glob("*.log")))
        raise ConfigError(f"no log of '{part}' in {folder}; there are: {names or 'none, nothing has run yet'}")
    exact = [path for path in found if path.stem == part]
    return exact or found
