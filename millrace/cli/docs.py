"""`millrace docs`: writes the generated pages, or says that they no longer match."""

from typing import Annotated

import typer
from rich.console import Console

from millrace.settings import settings

app = typer.Typer()


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where a page is outdated.")] = False,
) -> None:
    """Write docs/catalog/ and docs/settings.md from contracts, models and settings."""
    from millrace.pages import drifted, write_pages

    project_dir = settings().project_dir
    console = Console(highlight=False, soft_wrap=True)
    for path in drifted(project_dir) if check else write_pages(project_dir):
        console.print(f"{'outdated' if check else 'wrote'} {path}")
    if check and drifted(project_dir):
        console.print("[red]run: millrace docs")
        raise typer.Exit(1)
