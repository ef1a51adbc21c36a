"""`millrace new-source`: writes the skeleton of a source with its models, suites and first case."""

from typing import Annotated

import typer
from rich.console import Console

from millrace.settings import settings
from millrace.skeleton import Format, Kind, new_source

app = typer.Typer()


@app.command("new-source")
def write_new_source(
    place: Annotated[str, typer.Argument(help="Where it belongs: <domain>/<source>, e.g. shop/order_lines.")],
    kind: Annotated[Kind, typer.Option(help="How its records come to Kafka.")] = "stream",
    form: Annotated[Format, typer.Option("--format", help="How its records are written.")] = "json",
) -> None:
    """Write a new source that passes `millrace check` and runs: contract, schema, models, suites, one case."""
    project_dir = settings().project_dir
    console = Console(highlight=False, soft_wrap=True)
    for path in new_source(project_dir, place, kind, form):
        console.print(f"[green]wrote[/] {path.relative_to(project_dir)}")
    console.print("Put your own fields in event.avsc, change what names the old ones, then run: millrace check")
