"""Suites: every table has one, in GX's own JSON, with rules that exist, on columns that exist, with a severity."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from millrace.check.expectation_types import arguments_of, known_types
from millrace.check.parsed import Parsed
from millrace.contracts.catalog import Catalog, model_files, source_folders
from millrace.contracts.explain import Loc
from millrace.contracts.lines import line_of
from millrace.contracts.problem import Problem, one_of

_SEVERITIES = ("critical", "warning")
_ONE_COLUMN = ("column", "column_A", "column_B")
_COLUMNS = ("column_list", "column_set")
_EXAMPLE = '{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "event_id"}, "severity": "critical"}'


def suite_problems(parsed: Parsed) -> Iterator[Problem]:
    catalog = parsed.catalog
    for layer, table in _required(catalog):
        path = catalog.suite_path(layer, table)
        if not path.exists():
            column = (parsed.table_columns(layer, table) or ("event_id",))[0]
            example = _EXAMPLE.replace("event_id", column)
            expected = f"a suite for the table {layer}.{table}"
            yield Problem(path, 1, "no file", expected, f'{{"name": "{layer}.{table}", "expectations": [{example}]}}')
    for path in sorted((catalog.project_dir / "expectations").rglob("*.json")):
        yield from _suite(parsed, path)


def _required(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for source in catalog.sources:
        yield "bronze", source.name
        yield "silver", source.name
    yield from (("gold", model.name) for model in catalog.gold)


@dataclass(frozen=True)
class _Suite:
    """One suite file, and the columns of its table where they are known."""

    path: Path
    text: str
    columns: tuple[str, ...] | None

    def problem(self, loc: Loc, found: str, expected: str, example: str = "") -> Problem:
        return Problem(self.path, line_of(self.text, loc), found, expected, example)


def _suite(parsed: Parsed, path: Path) -> Iterator[Problem]:
    layer, table = path.parent.name, path.stem
    if (layer, table) not in _tables(parsed.catalog.project_dir):
        yield Problem(path, 1, f"a suite for {layer}.{table}, which does not exist", "a suite of a table")
        return
    suite = _Suite(path, path.read_text(), parsed.table_columns(layer, table))
    try:
        content = json.loads(suite.text)
    except json.JSONDecodeError as error:
        yield Problem(path, error.lineno, f"broken JSON ({error.msg})", "a suite as GX writes it")
        return
    rules = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(rules, list) or not rules:
        yield suite.problem((), "no expectations", "a list 'expectations' with at least one", _EXAMPLE)
        return
    if content.get("name") != f"{layer}.{table}":
        yield suite.problem(("name",), f"name {content.get('name')!r}", f"'{layer}.{table}'")
    for number, rule in enumerate(rules):
        yield from _rule(suite, ("expectations", number), rule)


def _tables(project_dir: Path) -> set[tuple[str, str]]:
    """Every table by the names of files, so that one broken contract is reported once."""
    sources = [folder.name for folder in source_folders(project_dir)]
    tables = {(layer, name) for layer in ("bronze", "silver") for name in sources}
    return tables | {("gold" if p.parent.name == "gold" else "realtime", p.stem) for p in model_files(project_dir)}


def _rule(suite: _Suite, loc: Loc, rule: Any) -> Iterator[Problem]:
    if not isinstance(rule, dict) or not isinstance(rule.get("type"), str):
        yield suite.problem(loc, "a rule without a type", "type, kwargs and severity", _EXAMPLE)
        return
    if rule["type"] not in known_types():
        yield suite.problem((*loc, "type"), f"expectation '{rule['type']}'", _nearest(rule["type"]))
        return
    if rule.get("severity") not in _SEVERITIES:
        found = f"severity {rule['severity']!r}" if "severity" in rule else "no severity"
        yield suite.problem(
            (*loc, "severity"), found, "critical (blocks) or warning (reports)", '"severity": "critical"'
        )
    kwargs = rule.get("kwargs", {})
    yield from _arguments(suite, loc, rule["type"], kwargs)
    yield from _rule_columns(suite, loc, kwargs)


def _nearest(given: str) -> str:
    near = get_close_matches(given, known_types(), n=1)
    return f"an expectation of GX (did you mean '{near[0]}'?)" if near else "an expectation of GX"


def _arguments(suite: _Suite, loc: Loc, kind: str, kwargs: dict[str, Any]) -> Iterator[Problem]:
    arguments = arguments_of(kind)
    for name in kwargs:
        if arguments.known and name not in arguments.known:
            found = f"argument '{name}' of {kind}"
            yield suite.problem((*loc, "kwargs", name), found, one_of(sorted(arguments.known), name))
    for name in arguments.required:
        if name not in kwargs:
            yield suite.problem((*loc, "kwargs"), f"{kind} without argument '{name}'", "it")


def _rule_columns(suite: _Suite, loc: Loc, kwargs: dict[str, Any]) -> Iterator[Problem]:
    named = [(name, kwargs[name]) for name in _ONE_COLUMN if name in kwargs]
    named += [(name, column) for name in _COLUMNS for column in kwargs.get(name) or ()]
    for argument, column in named:
        if suite.columns is not None and column not in suite.columns:
            found = f"column '{column}', which the table does not have"
            yield suite.problem((*loc, "kwargs", argument), found, one_of(suite.columns, str(column)))
