"""The expectations that the installed GX has, read from its files, because importing it takes seconds."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_BESIDE_ARGUMENTS = {
    "id", "meta", "metadata", "notes", "description", "catch_exceptions", "result_format", "rendered_content",
    "severity", "batch_id", "windows",
}  # fmt: skip


@cache
def known_types() -> tuple[str, ...]:
    """Every expectation's type, e.g. `expect_column_values_to_not_be_null`."""
    return tuple(sorted(path.stem for path in _core().glob("*expect*.py")))


@dataclass(frozen=True)
class Arguments:
    """What an expectation takes; both empty where GX has no JSON schema of it."""

    known: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()


@cache
def arguments_of(kind: str) -> Arguments:
    """The arguments of an expectation, from GX's own JSON schema."""
    wanted = kind.replace("_", "")
    for path in (_core() / "schemas").glob("*.json"):
        if path.stem.lower() == wanted:
            schema = json.loads(path.read_text())
            known = frozenset(schema["properties"]) - _BESIDE_ARGUMENTS
            return Arguments(known, tuple(schema.get("required", ())))
    return Arguments()


def _core() -> Path:
    spec = find_spec("great_expectations")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("great_expectations is not installed; run `make install`")
    return Path(spec.origin).parent / "expectations" / "core"
