"""Results as tables for a person, and as JSON for docs/performance.md and for comparison with other runs."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from millrace.settings import ROOT

RESULTS = ROOT / ".bench-results"


def show(console: Console, title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()


def save(figure: str, result: Any) -> Path:
    """Keep a figure's result with when and where it was measured; the newest replaces the one before."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{figure}.json"
    path.write_text(json.dumps({"figure": figure, **machine(), "result": result}, indent=1, default=str) + "\n")
    return path


def load(figure: str) -> dict[str, Any] | None:
    path = RESULTS / f"{figure}.json"
    return dict(json.loads(path.read_text())) if path.exists() else None


def machine() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    memory = round(psutil.virtual_memory().total / 2**30)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{cores} cores, {memory} GiB, {platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
