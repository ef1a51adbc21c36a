"""Cases under tests/cases: each belongs to a source, and its files hold what tests/cases/README.md says."""

import json
from collections.abc import Iterator
from pathlib import Path

from millrace.contracts.catalog import source_folders
from millrace.contracts.problem import Problem, one_of

_RECORDS = "kafka.jsonl"
_FILES = (_RECORDS, "silver.jsonl", "quarantine.jsonl", "rejected.jsonl")
_EXAMPLE = '{"value": {"event_id": "1"}}'


def case_problems(project_dir: Path) -> Iterator[Problem]:
    sources = [folder.name for folder in source_folders(project_dir)]
    for case in sorted(path for path in (project_dir / "tests" / "cases").glob("*/*") if path.is_dir()):
        if case.parent.name not in sources:
            yield Problem(case, 1, f"a case of '{case.parent.name}'", one_of(sources, case.parent.name))
        if not (case / _RECORDS).exists():
            yield Problem(case / _RECORDS, 1, "no file", "the records of the case, one JSON object per line", _EXAMPLE)
        for path in sorted(case.iterdir()):
            yield from _file(path)


def _file(path: Path) -> Iterator[Problem]:
    if path.name not in _FILES:
        yield Problem(path, 1, f"file '{path.name}'", one_of(_FILES, path.name))
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield Problem(path, number, f"broken JSON ({error.msg})", "one JSON object per line")
            continue
        if not isinstance(row, dict) or (path.name == _RECORDS and "value" not in row):
            expected = "an object with 'value'" if path.name == _RECORDS else "an object"
            yield Problem(path, number, f"{line[:60]}", expected, _EXAMPLE if path.name == _RECORDS else "")
