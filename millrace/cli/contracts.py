"""`millrace sources` and `millrace models`: what the project declares."""

import typer
from rich.console import Console
from rich.table import Table

from millrace.contracts.catalog import Catalog, read_catalog
from millrace.contracts.duration import format_duration
from millrace.settings import settings

app = typer.Typer()


@app.command()
def sources() -> None:
    """List the sources with topic, keys and personal fields."""
    table = Table("source", "topic", "id", "time", "dedup window", "personal data", "owner")
    for s in _catalog().sources:
        personal = "\n".join(f"{field}: {rule}" for field, rule in s.pii.items())
        window = format_duration(s.dedup_window)
        table.add_row(
            f"{s.domain}/{s.name}", s.topic.name, s.event.id, s.event.time, window, personal or "none", s.owner
        )
    Console().print(table)


@app.command()
def models() -> None:
    """List the models with their inputs and where they are served."""
    table = Table("model", "kind", "inputs", "served as")
    for m in _catalog().models:
        table.add_row(f"{m.domain}/{m.name}", m.kind, "\n".join(m.inputs), m.served_as or "(the lake only)")
    Console().print(table)


def _catalog() -> Catalog:
    return read_catalog(settings().project_dir)
