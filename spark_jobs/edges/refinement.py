"""A source's own refinement: the file `silver.py` in its folder, for what a cast and a dedupe cannot do."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from pyspark.sql import DataFrame

from millrace.contracts.source import Source
from millrace.errors import ConfigError

FILE = "silver.py"


def _as_it_is(df: DataFrame) -> DataFrame:
    return df


@dataclass(frozen=True)
class Refinement:
    """What `silver.py` may define.

    `refine(df)` gets bronze rows and returns the same rows with better values: one row out for each row in, all
    columns kept. A column that only silver fills is declared in event.avsc as a nullable field.
    `REJECT_RULES` maps a reason to the SQL condition of the rows to refuse, e.g. `{"price is negative": "price < 0"}`;
    they are checked after `refine`.
    """

    refine: Callable[[DataFrame], DataFrame] = _as_it_is
    reject_rules: Mapping[str, str] = field(default_factory=dict)


def read_refinement(source: Source) -> Refinement:
    """Load the source's `silver.py`; without one, rows stay as they are. Raises ConfigError where it cannot be run."""
    path = source.folder / FILE
    if not path.exists():
        return Refinement()
    module = _load(path, f"millrace_silver_{source.name}")
    rules = getattr(module, "REJECT_RULES", {})
    refine = getattr(module, "refine", _as_it_is)
    if not callable(refine) or not isinstance(rules, Mapping):
        raise ConfigError(f"{path}:1: expected a function refine(df) and a mapping REJECT_RULES; found something else")
    return Refinement(refine, rules)


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}:1: cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{path}:1: fails to import: {error}") from error
    return module
