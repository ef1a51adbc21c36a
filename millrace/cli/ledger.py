"""`millrace ledger`: what came in, what became of it, and whether it adds up."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from millrace.control.database import connect
from millrace.control.ledger import Entry, read_entries
from millrace.settings import settings

app = typer.Typer()
_TITLE = "Ledger: acked = bronze + quarantined; bronze = silver + duplicates + rejected; silver = its copies"
_NUMBERS = ("acked", "bronze", "quarantined", "silver", "duplicates", "rejected", "gold", "served", "live")

_WIDTH = 180
"""Columns of what is not read on a terminal, which has a width of its own."""


@app.command("ledger")
def show_ledger(
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many intervals, the newest first.")] = 24,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show the ledger and say where it does not balance; exits with 1 when some interval does not."""
    with connect(settings()) as conn:
        entries = read_entries(conn, source, limit)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(_described(entry), default=str))
    else:
        _print(entries)
    raise typer.Exit(0 if all(entry.balances for entry in entries) else 1)


def _print(entries: list[Entry]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(_table(entries))
    wrong = [entry for entry in entries if not entry.balances]
    for entry in wrong:
        console.print(Text(f"{entry.source}, {_span(entry)} DOES NOT BALANCE:", style="bold red"))
        for problem in entry.problems:
            console.print(Text(f"  {problem}"))
    said = "balance" if entries and not wrong else f"balance, but for {len(wrong)}" if entries else "are not there yet"
    console.print(f"{len(entries)} intervals {said}.")


def _table(entries: list[Entry]) -> Table:
    table = Table("source", "interval (UTC)", title=_TITLE)
    for column in _NUMBERS:
        table.add_column(column, justify="right")
    table.add_column("balance")
    for entry in entries:
        table.add_row(*_cells(entry), style=None if entry.balances else "bold red")
    return table


def _cells(entry: Entry) -> list[str]:
    numbers = (
        entry.kafka_acked, entry.bronze, entry.quarantined, entry.silver, entry.duplicates, entry.rejected,
        entry.gold, entry.served, entry.live,
    )  # fmt: skip
    shown = ["?" if number is None else f"{number:,}" for number in numbers]
    return [entry.source, _span(entry), *shown, "balances" if entry.balances else "NO"]


def _span(entry: Entry) -> str:
    return f"{entry.interval_start:%Y-%m-%d %H:%M} to {entry.interval_end:%H:%M}"


def _described(entry: Entry) -> dict[str, object]:
    return asdict(entry) | {"balances": entry.balances, "problems": entry.problems}
