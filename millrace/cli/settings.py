"""`millrace settings`: what can be set, what is set, and where the defaults point."""

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from millrace.settings import PREFIX, Settings, read_settings

app = typer.Typer()


@app.command("settings")
def show_settings() -> None:
    """List every setting with its default and its current value."""
    now = read_settings()
    table = Table("setting", "default", "now", title="Settings (environment variables)")
    for name, field in Settings.model_fields.items():
        value = getattr(now, name)
        changed = value != field.default
        table.add_row(f"{PREFIX}{name.upper()}", shown(field.default), shown(value), style="bold" if changed else None)
    Console().print(table)


def shown(value: object) -> str:
    """A setting's value as text; secrets say only whether they are set."""
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else "(not set)"
    return str(value)
