"""Reads contract files; every problem comes out as `file:line: what was found, what was expected, an example`."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from millrace.contracts.avro import read_record
from millrace.contracts.model import KINDS, Model, model_from
from millrace.contracts.source import Source, source_from
from millrace.errors import ConfigError

_HEADER = re.compile(r"/\*\s*millrace\s*\n(?P<yaml>.*?)\*/\s*", re.DOTALL)


def read_source(folder: Path) -> Source:
    """Read `source.yaml` and `event.avsc` of one source folder."""
    path = folder / "source.yaml"
    raw = read_mapping(path, path.read_text())
    schema = folder / "event.avsc"
    if not schema.exists():
        raise ConfigError(f"{schema}:1: missing; every source has an Avro record schema beside its source.yaml")
    record = read_record(schema)
    try:
        return source_from(raw, folder, record)
    except ValidationError as error:
        raise ConfigError(problems_of(error, path, path.read_text())) from error


def read_model(path: Path) -> Model:
    """Read one SQL file with its header."""
    text = path.read_text()
    if path.parent.name not in KINDS:
        raise ConfigError(f"{path}:1: folder '{path.parent.name}'; expected one of {', '.join(KINDS)}")
    header = _HEADER.search(text)
    if not header:
        raise ConfigError(f"{path}:1: no header; start the file with '/* millrace', a line 'inputs: [...]' and '*/'")
    raw = read_mapping(path, header["yaml"], first_line=text[: header.start("yaml")].count("\n"))
    sql = text[header.end() :].strip().rstrip(";")
    try:
        return model_from(raw, path, sql, text[: header.end()].count("\n") + 1)
    except ValidationError as error:
        raise ConfigError(problems_of(error, path, text)) from error


def read_mapping(path: Path, text: str, first_line: int = 0) -> dict[str, Any]:
    """Parse YAML that must be a mapping."""
    try:
        raw = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line + 1 if error.problem_mark else 1)
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}:{first_line + 1}: expected 'key: value' lines, found {type(raw).__name__}")
    return raw


def problems_of(error: ValidationError, path: Path, text: str) -> str:
    """One line for each wrong field, at the line on which its key stands."""
    return "\n".join(
        f"{path}:{_line_of(text, e['loc'])}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
    )


def _line_of(text: str, loc: tuple[int | str, ...]) -> int:
    lines = text.splitlines()
    for key in reversed([str(part) for part in loc]):
        for number, line in enumerate(lines, 1):
            if re.search(rf"(^|[\s{{,]){re.escape(key)}\s*:", line):
                return number
    return 1
