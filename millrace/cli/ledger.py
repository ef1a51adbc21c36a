"""`millrace ledger`: what came in, what became of it, and whether it adds up."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millrace.control.database import connect
from millrace.control.ledger import Entry, read_entries
from millrace.settings import settings

app = typer.Typer()


@app.command("ledger")
def show_ledger(
    source: Annotated[str | None, typer.Argument(help="Only this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many intervals, the newest first.")] = 24,
) -> None:
    """Show the ledger; exits with 1 when an interval does not balance."""
    with connect(settings()) as conn:
        entries = read_entries(conn, source, limit)
    table = Table("source", "interval (UTC)", title="Ledger: acked = bronze + quarantined; bronze = the rest")
    for column in ("acked", "bronze", "quarantined", "silver", "duplicates", "rejected"):
        table.add_column(column, justify="right")
    table.add_column("balance")
    for entry in entries:
        table.add_row(*_cells(entry), style=None if entry.balances else "bold red")
    Console().print(table)
    raise typer.Exit(0 if all(entry.balances for entry in entries) else 1)


def _cells(entry: Entry) -> list[str]:
    acked = "?" if entry.kafka_acked is None else f"{entry.kafka_acked:,}"
    numbers = (entry.bronze, entry.quarantined, entry.silver, entry.duplicates, entry.rejected)
    span = f"{entry.interval_start:%Y-%m-%d %H:%M} to {entry.interval_end:%H:%M}"
    verdict = "balances" if entry.balances else f"{entry.missing} missing, {entry.lost} lost"
    return [entry.source, span, acked, *(f"{n:,}" for n in numbers), verdict]
