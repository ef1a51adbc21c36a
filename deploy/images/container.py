"""Entry point of the containers that run our code: the parts of the local stack, one a container, in the foreground."""

import logging
import os

import typer
from rich.console import Console

from deploy.local import downloads
from deploy.local.first_run import create_lake_tables, create_tables
from deploy.local.parts import all_parts
from deploy.local.stack import Part, Stack, this_stack
from millrace.errors import MillraceError
from millrace.settings import read_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


def _stack() -> Stack:
    return this_stack(read_settings(), os.environ)


def _part(stack: Stack, name: str) -> Part:
    parts = {part.name: part for part in all_parts(stack)}
    if name not in parts:
        raise typer.BadParameter(f"no part '{name}'; there are {', '.join(parts)}")
    return parts[name]


@app.command()
def fetch(bundle: str) -> None:
    """Download a bundle of Java files while an image is built."""
    downloads.ensure(bundle, read_settings().downloads)


@app.command()
def run(name: str) -> None:
    """Prepare a part, then become it."""
    stack = _stack()
    part = _part(stack, name)
    for folder in (stack.logs, stack.conf):
        folder.mkdir(parents=True, exist_ok=True)
    part.prepare()
    os.execvpe(part.command[0], part.command, {**os.environ, **stack.environment(), **part.env})  # noqa: S606


@app.command()
def healthy(name: str) -> None:
    """End with 0 if the part answers, as its health check asks it."""
    _part(_stack(), name).check()


@app.command()
def setup() -> None:
    """Create what the catalog and Airflow need, once the services answer: topics, subjects, tables, pools."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stack = _stack()
    for step in (create_tables, create_lake_tables):
        Console().print(step(stack), markup=False, highlight=False)
    _part(stack, "airflow-api-server").finish()


def main() -> None:
    """Run a command; errors of ours are shown without a traceback."""
    try:
        app()
    except MillraceError as error:
        Console(stderr=True).print(f"[red]{type(error).__name__}[/]: {error}", highlight=False)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
