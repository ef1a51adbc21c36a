"""`millrace accept-loss`: lets the streams go on after Kafka has deleted records that they had not read."""

import getpass
from typing import Annotated

import typer
from rich.console import Console

from millrace.contracts.catalog import catalog
from millrace.control.database import connect
from millrace.control.losses import GOOD_FOR, accept_losses
from millrace.settings import settings

app = typer.Typer()


@app.command("accept-loss")
def accept_loss(
    source: Annotated[str, typer.Argument(help="The source whose records are lost.")],
    why: Annotated[str, typer.Option(help="Kept beside your name, for whoever asks later.")],
) -> None:
    """Let the queries of a source go on from what Kafka still has; what they skip is written down."""
    found = catalog(settings().project_dir).source(source)
    with connect(settings()) as conn:
        accept_losses(conn, found.name, getpass.getuser(), why)
    Console().print(
        f"accepted for {GOOD_FOR.total_seconds() / 60:.0f} minutes: the queries of {found.name} go on with their next "
        "start, which supervision makes; ops.lost_records then says what they skipped"
    )
