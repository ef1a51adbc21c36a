"""`millrace check`: lists everything that is wrong with the project's contracts, models and suites."""

import typer
from rich.console import Console

from millrace.settings import settings

app = typer.Typer()


@app.command()
def check() -> None:
    """Validate sources, models and suites; list each problem with file, line, expectation and example."""
    from millrace.check.project import check as check_project

    project_dir = settings().project_dir
    problems = check_project(project_dir)
    console = Console(highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(problem.render(project_dir), markup=False)
    if problems:
        files = len({problem.path for problem in problems})
        console.print(f"[red]{len(problems)} problem(s) in {files} file(s)")
        raise typer.Exit(1)
    console.print("[green]sources, models and suites are well")
