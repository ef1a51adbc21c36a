"""The `millrace` command: one module per command group, each with a typer `app` whose commands stand at the top."""

import typer

from millrace.cli import alerts, check, contracts, docs, ledger, losses, new_source, quarantine, settings
from millrace.cli.errors import CleanErrors

app = typer.Typer(
    name="millrace",
    cls=CleanErrors,
    help="Millrace: contracts, checks and operation of the lakehouse.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
for group in (check, new_source, docs, contracts, settings, ledger, alerts, losses, quarantine):
    app.add_typer(group.app)
