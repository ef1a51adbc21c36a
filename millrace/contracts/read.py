"""Reads one source or model; every problem comes out as `file:line: found ..., expected ..., e.g. ...`."""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from millrace.contracts import model, source
from millrace.contracts.avro import Record, read_record
from millrace.contracts.explain import Fault, Loc, faults_of, misplaced
from millrace.contracts.lines import line_of
from millrace.contracts.model import KINDS, Model, model_from
from millrace.contracts.problem import ContractError, Problem, one_of
from millrace.contracts.rules import source_faults
from millrace.contracts.source import Source, source_from

_HEADER = re.compile(r"/\*\s*millrace[ \t]*\n(?P<yaml>.*?)\*/\s*", re.DOTALL)
_NO_RECORD = Record(name="", doc="", fields=(), text="")


def read_source(folder: Path) -> Source:
    """Read `source.yaml` and `event.avsc` of one source folder; raises ContractError with all their problems."""
    path = folder / "source.yaml"
    text = path.read_text()
    raw = read_mapping(path, text)
    record, problems = _read_record(folder / "event.avsc")
    try:
        contract = source_from(raw, folder, record)
    except ValidationError as error:
        faults = faults_of(error, Source, raw, source.FROM_PLACE)
    else:
        faults = [*misplaced(raw, Source, source.FROM_PLACE), *([] if problems else source_faults(contract))]
    problems += _problems(path, text, faults)
    if problems:
        raise ContractError(problems)
    return contract


def _read_record(path: Path) -> tuple[Record, list[Problem]]:
    """The record, or an empty one and its problems, so that the contract beside it can still be judged."""
    if not path.exists():
        return _NO_RECORD, [Problem(path, 1, "no file", "an Avro record schema beside source.yaml")]
    try:
        return read_record(path), []
    except ContractError as error:
        return _NO_RECORD, list(error.problems)


def read_model(path: Path) -> Model:
    """Read one SQL file with its header; raises ContractError with all its problems."""
    kind = KINDS.get(path.parent.name)
    if not kind:
        found = f"folder '{path.parent.name}'"
        raise ContractError([Problem(path, 1, found, one_of(KINDS, path.parent.name), "models/shop/gold/orders.sql")])
    text = path.read_text()
    header = _HEADER.search(text)
    if not header:
        raise ContractError([Problem(path, 1, "no header", "a comment '/* millrace ... */' first", "inputs: [orders]")])
    first_line = text[: header.start("yaml")].count("\n")
    raw = read_mapping(path, header["yaml"], first_line)
    sql = text[header.end() :].strip().rstrip(";")
    try:
        contract = model_from(raw, path, sql, text[: header.end()].count("\n") + 1)
    except ValidationError as error:
        faults = faults_of(error, kind, raw, model.FROM_PLACE)
    else:
        faults = list(misplaced(raw, kind, model.FROM_PLACE))
    if faults:
        raise ContractError(_problems(path, header["yaml"], faults, first_line))
    return contract


def problem_at(contract: Source | Model, loc: Loc, found: str, expected: str, example: str = "") -> Problem:
    """A problem of a contract that was read, at the line on which the key stands in its file."""
    if isinstance(contract, Source):
        path = contract.folder / "source.yaml"
        return Problem(path, line_of(path.read_text(), loc), found, expected, example)
    text = contract.path.read_text()
    header = _HEADER.search(text)
    first_line = text[: header.start("yaml")].count("\n") if header else 0
    line = first_line + line_of(header["yaml"] if header else "", loc)
    return Problem(contract.path, line, found, expected, example)


def read_mapping(path: Path, text: str, first_line: int = 0) -> dict[str, Any]:
    """Parse YAML that must be a mapping; `first_line` counts the lines of the file before the text."""
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line + 1 if error.problem_mark else 1)
        raise ContractError([Problem(path, line, f"broken YAML ({error.problem})", "'key: value' lines")]) from error
    if not isinstance(raw, dict):
        found = "nothing" if raw is None else f"a {type(raw).__name__}"
        raise ContractError([Problem(path, first_line + 1, found, "'key: value' lines", "owner: shop-data")])
    return raw


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, where YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key.value}' twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _problems(path: Path, text: str, faults: Iterable[Fault], first_line: int = 0) -> list[Problem]:
    """Put faults of parsed YAML at the lines on which their keys stand."""
    return [Problem(path, first_line + line_of(text, f.loc), f.found, f.expected, f.example) for f in faults]
