"""The page of settings: every `MILLRACE_*` variable, its default and what it means."""

from pathlib import Path

from pydantic import SecretStr

from millrace.pages.markdown import code, table
from millrace.settings import PREFIX, ROOT, Settings


def settings_page() -> str:
    rows = [
        (code(f"{PREFIX}{name.upper()}"), code(_default(field.default)), " ".join((field.description or "").split()))
        for name, field in Settings.model_fields.items()
    ]
    text = (
        "Settings are environment variables: what differs between a laptop and a cluster, and nothing else. "
        "`millrace settings` shows what is set now. An address without a default follows from host, port and offset."
    )
    return f"# Settings\n\n{text}\n\n{table(('variable', 'default', 'meaning'), rows)}\n"


def _default(value: object) -> str:
    """A default as one would write it; paths of this machine are shown as seen from the project."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.relative_to(ROOT)) if value.is_relative_to(ROOT) else str(value)
    return str(value)
