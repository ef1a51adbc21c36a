"""Shows an error of ours as a panel that says what to do, without a traceback."""

from typing import Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from typer.core import TyperGroup

from millrace.errors import ConfigError, MillraceError

FAILED = 1
WRONG_CONFIG = 2


class CleanErrors(TyperGroup):
    """A command group that turns a MillraceError into a panel on stderr and exit code 1, or 2 for a ConfigError."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MillraceError as error:
            show_error(error)
            raise typer.Exit(WRONG_CONFIG if isinstance(error, ConfigError) else FAILED) from error


def show_error(error: MillraceError) -> None:
    """Print the error on stderr; its text is shown as it is, never read as markup."""
    Console(stderr=True).print(Panel(Text(str(error)), title=type(error).__name__, border_style="red"))
