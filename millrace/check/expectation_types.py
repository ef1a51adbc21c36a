"""The expectations that the installed GX has, read from its files, because importing it takes seconds."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SHARED_ARGUMENTS = {"meta", "notes", "description", "catch_exceptions", "result_format", "severity"}


@cache
def known_types() -> tuple[str, ...]:
    """Every expectation's type, e.g. `expect_column_values_to_not_be_null`."""
    return tuple(sorted(path.stem for path in _core().glob("*expect*.py")))


@cache
def known_arguments(kind: str) -> frozenset[str]:
    """The arguments of an expectation, from GX's JSON schema of it; empty where GX has no schema."""
    wanted = kind.replace("_", "")
    for path in (_core() / "schemas").glob("*.json"):
        if path.stem.lower() == wanted:
            return frozenset(json.loads(path.read_text())["properties"]) - _SHARED_ARGUMENTS
    return frozenset()


def _core() -> Path:
    spec = find_spec("great_expectations")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("great_expectations is not installed; run `make install`")
    return Path(spec.origin).parent / "expectations" / "core"
