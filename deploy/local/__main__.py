"""The commands of the local stack: `python -m deploy.local up | down | status | logs`."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.credentials import ensure_secrets
from deploy.local.lifecycle import down as stop_parts
from deploy.local.lifecycle import up as start_parts
from deploy.local.parts import all_parts
from deploy.local.stack import Stack, this_stack
from millrace.errors import MillraceError
from millrace.settings import read_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help="The local stack of Millrace.")
console = Console()


def _stack() -> Stack:
    state = read_settings().state_dir
    ensure_secrets(Path(state))
    return this_stack(read_settings(), os.environ)


@app.command()
def up(only: Annotated[str, typer.Option(help="Names of parts, separated by commas; all without it.")] = "") -> None:
    """Start the stack, or what of it does not run, and wait until it answers."""
    stack = _stack()
    parts = all_parts(stack)
    names = set(only.split(",")) if only else {p.name for p in parts}
    if unknown := names - {p.name for p in parts}:
        raise typer.BadParameter(f"no part {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in parts)}")
    start_parts(stack, parts, [p for p in parts if p.name in names], console)


@app.command()
def down() -> None:
    """Stop everything that runs for this stack; its data stays."""
    stack = _stack()
    stop_parts(stack, all_parts(stack), console)


def main() -> None:
    """Run a command; errors of ours are shown without a traceback."""
    try:
        app()
    except MillraceError as error:
        Console(stderr=True).print(f"[red]{type(error).__name__}[/]: {error}", highlight=False)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
