"""A minute of more events, and the numbers that grow with them."""

import subprocess
import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deploy.local.stack import Stack
from millrace.clickhouse.client import connect
from millrace.contracts.catalog import read_catalog
from millrace.errors import TransientError
from millrace.names import LIVE
from millrace.settings import ROOT

RATE = 200
SECONDS = 60


def show_demo(stack: Stack, console: Console) -> None:
    """Run a simulator of the first source beside the stack's own, and show counters until it ends."""
    catalog = read_catalog(stack.settings.project_dir)
    source = catalog.sources[0].name
    tables = [f"{LIVE}.{source}", *(m.served_as for m in catalog.realtime), *(m.served_as or "" for m in catalog.gold)]
    command = [sys.executable, "-m", "simulators", source, f"--rate={RATE}", f"--count={RATE * SECONDS}", "--steady"]
    console.print(f"sending {RATE} events/s to {source} for {SECONDS} s")
    before = _counts(stack, tables)
    with subprocess.Popen(command, env=stack.environment(), cwd=ROOT, stderr=subprocess.DEVNULL) as simulator:
        try:
            _watch(stack, tables, before, simulator, console)
        finally:
            simulator.terminate()


def _watch(
    stack: Stack, tables: list[str], before: Mapping[str, int], simulator: "subprocess.Popen[bytes]", console: Console
) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while simulator.poll() is None:
            live.update(_table(before, _counts(stack, tables)), refresh=True)
            time.sleep(1)
        live.update(_table(before, _counts(stack, tables)), refresh=True)
    if simulator.returncode != 0:
        raise TransientError(f"the simulator ended with {simulator.returncode}; see `make doctor`")


def _counts(stack: Stack, tables: list[str]) -> dict[str, int]:
    client = connect(stack.settings)
    there = [table for table in tables if table and client.query(f"EXISTS TABLE {table}").result_rows[0][0]]
    return {table: int(client.query(f"SELECT count() FROM {table}").result_rows[0][0]) for table in there}


def _table(before: Mapping[str, int], now: Mapping[str, int]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("table", "rows", "new"):
        table.add_column(column, justify="left" if column == "table" else "right")
    for name, count in now.items():
        table.add_row(name, f"{count:,}", f"+{count - before.get(name, 0):,}")
    return table
