"""`millrace alerts`: what somebody must look at, and what was."""

import getpass
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from millrace.alerting import show_alerts
from millrace.control.alerts import Alert, open_alerts, read_alerts, resolve_alert
from millrace.control.database import connect
from millrace.errors import ConfigError
from millrace.settings import settings

app = typer.Typer()


@app.command("alerts")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    resolve: Annotated[int | None, typer.Option(help="Close the alert with this id first.", metavar="ID")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List open alerts; exits with 1 when there are any."""
    with connect(settings()) as conn:
        if resolve is not None:
            if resolve_alert(conn, resolve, getpass.getuser()) is None:
                raise ConfigError(f"no open alert has the id {resolve}; `millrace alerts` lists those that are open")
            show_alerts(conn, settings())
        alerts = read_alerts(conn, limit) if everything else open_alerts(conn, limit=limit)
    if as_json:
        for alert in alerts:
            typer.echo(json.dumps(asdict(alert), default=str))
    else:
        Console().print(_table(alerts) if alerts else "No alert is open.")
    raise typer.Exit(1 if any(alert.is_open for alert in alerts) else 0)


def _table(alerts: list[Alert]) -> Table:
    table = Table("id", "since (UTC)", "severity", "kind", "subject", "message", "times", "resolved (UTC)")
    for a in alerts:
        ended = f"{a.resolved_at:%Y-%m-%d %H:%M} by {a.resolved_by}" if a.resolved_at else ""
        style = "dim" if not a.is_open else "bold red" if a.severity == "critical" else "yellow"
        cells = (
            str(a.id),
            f"{a.at:%Y-%m-%d %H:%M}",
            a.severity,
            a.kind,
            escape(a.subject),
            escape(a.message),
            str(a.times),
            ended,
        )
        table.add_row(*cells, style=style)
    return table
