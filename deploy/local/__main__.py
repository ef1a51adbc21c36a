"""The commands of the local stack: `python -m deploy.local up | down | status | logs | restart | doctor | demo`."""

import sys
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from deploy.local import lifecycle
from deploy.local.credentials import load_stack
from deploy.local.demo import show_demo
from deploy.local.doctor import examine, hops_table
from deploy.local.log_view import show_logs
from deploy.local.parts import all_parts
from deploy.local.report import status_table, where_to_look
from deploy.local.supervision import Supervisor
from millrace.cli.errors import CleanErrors

app = typer.Typer(cls=CleanErrors, add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
console = Console(width=None if sys.stdout.isatty() else 140)


@app.command()
def up(only: Annotated[str, typer.Option(help="Parts to start, separated by commas; all without it.")] = "") -> None:
    """Start what does not run, wait until all of it answers, and say where to look."""
    began = monotonic()
    stack = load_stack()
    known = lifecycle.everything(stack)
    names = only.split(",") if only else known
    for name in names:
        _known(name, known)
    try:
        lifecycle.up(stack, names, console)
    finally:  # what did come up is where to look for why the rest did not
        if not only and Supervisor(stack).is_up():
            console.print(where_to_look(stack))
    console.print(f"up after {monotonic() - began:.0f} s", style="dim")


@app.command()
def down() -> None:
    """Drain the streams and stop everything; the data stays."""
    lifecycle.down(load_stack(), console)
    console.print("everything is stopped; the data stays, `make up` goes on with it")


@app.command()
def status() -> None:
    """Show each part: its process, and whether it answers. Ends with 1 when one does not."""
    stack = load_stack()
    table, healthy = status_table(stack, all_parts(stack))
    console.print(table)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="A part, or 'stream'; without it, the last lines of all.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines from the end.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows.")] = False,
) -> None:
    """Show the end of a part's log."""
    show_logs(load_stack().logs, part, lines, follow, console)


@app.command()
def restart(part: Annotated[str, typer.Argument(help="Name of a part.")]) -> None:
    """Stop one part and start it again."""
    stack = load_stack()
    _known(part, [p.name for p in all_parts(stack)])
    lifecycle.restart(stack, part, console)


@app.command()
def doctor() -> None:
    """Follow an event from Kafka to gold: the first hop that fails is the cause. Ends with 1 when one does."""
    hops = examine(load_stack())
    console.print(hops_table(hops))
    raise typer.Exit(0 if all(hop.fine for hop in hops) else 1)


@app.command()
def demo() -> None:
    """Send more events for a minute, and watch the numbers grow."""
    show_demo(load_stack(), console)


def _known(name: str, names: list[str] | tuple[str, ...]) -> None:
    if name not in names:
        raise typer.BadParameter(f"no part '{name}'; there are {', '.join(names)}")


if __name__ == "__main__":
    app()
