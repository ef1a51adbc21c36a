"""Requests about quarantined records, what a fix may be, and how a dry run reads."""

import re
from datetime import UTC, datetime

import pytest

from millrace.errors import ConfigError, DataError, TransientError
from millrace.names import OPS
from millrace.quarantine import job
from millrace.quarantine.fix import fix_problem
from millrace.quarantine.reason import FOUND, ID_LENGTH, NOTHING, VARIABLE
from millrace.quarantine.report import Group, Report, markdown
from millrace.quarantine.request import request_from
from millrace.settings import ROOT

REPLAY = {"source": "user_events", "action": "replay", "by": "ann"}


@pytest.mark.parametrize(
    "fix",
    [
        """regexp_replace(text, '"source":"WEB"', '"source":"web"')""",
        "substring(value, 4)",
        "to_json(named_struct('id', event.event_id, 'at', to_timestamp('2026-01-01')))",
        "element_at(filter(headers, h -> h.key = 'x'), 1).value",
        "CASE WHEN text LIKE '{%' THEN text ELSE concat('{', text) END",
        "unix_timestamp('2026-01-01') || text",
    ],
)
def test_a_fix_is_an_expression_over_one_record(fix: str):
    assert fix_problem(fix) is None


@pytest.mark.parametrize(
    ("fix", "problem"),
    [
        ("concat(text", "no SQL expression"),
        ("", "expected one SQL expression"),
        ("text; SELECT 1", "expected one SQL expression"),
        ("concat(text, uuid())", "differs from run to run"),
        ("concat(text, now())", "differs from run to run"),
        ("builtin.uuid()", "differs from run to run"),
        ("(SELECT max(x) FROM text.`/etc/passwd`)", "reads or writes tables"),
        ("DROP TABLE x", "reads or writes tables"),
        ("max(text)", "looks at several records"),
        ("row_number() OVER (ORDER BY text)", "looks at several records"),
        ("reflect('java.lang.System', 'exit', 1)", "not allowed here"),
        ("`Java_Method`('java.lang.System', 'exit', 1)", "not allowed here"),
    ],
)
def test_what_changes_or_reaches_out_is_no_fix(fix: str, problem: str):
    assert problem in (fix_problem(fix) or "")
    with pytest.raises(ConfigError, match=problem):
        request_from(**REPLAY, fix=fix)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"action": "discard"}, "takes a reason"),
        ({"action": "discard", "why": " "}, "takes a reason"),
        ({"action": "discard", "why": "test data", "fix": "text"}, "takes a reason"),
        ({"stage": "silver"}, "run their hours again"),
        ({"stage": "gold"}, "stage"),
        ({"limit": 0}, "limit"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001 - the point of it
        ({"whence": "x"}, "whence"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(wanted: dict[str, object], problem: str):
    with pytest.raises(ConfigError, match=problem):
        request_from(**(REPLAY | wanted))


def test_a_request_keeps_what_was_asked():
    request = request_from(**REPLAY, fix="upper(text)", since=datetime(2026, 1, 1, tzinfo=UTC), group="ab12cd34")
    assert (request.selection.stage, request.selection.group, request.fix) == ("landing", "ab12cd34", "upper(text)")
    assert type(request).model_validate_json(request.model_dump_json()) == request


def test_a_dry_run_reads_well():
    group = Group(reason="a | b", records=3, example="user-events/0/7")
    request = request_from(**REPLAY, fix="upper(text)")
    text = markdown(
        Report(plan_id="p", request=request, matched=3, ready=1, landed=1, found=(group,), refused=(group,))
    )
    assert "would be sent: **1**" in text
    assert "have landed meanwhile, and would be closed: **1**" in text
    assert "| a \\| b | 3 | user-events/0/7 |" in text


def test_nothing_is_to_be_done_when_all_would_be_refused():
    report = Report(plan_id="p", request=request_from(**REPLAY), matched=3, ready=0, found=())
    assert report.nothing_to_do
    assert not report.model_copy(update={"landed": 1}).nothing_to_do


def test_lake_and_index_group_by_the_same_rules():
    view = (ROOT / "clickhouse" / OPS / "quarantine_views.sql").read_text()
    assert f"substring(q.reason, position(q.reason, '{FOUND}')) = '{FOUND}{NOTHING}'" in view
    assert all(f"'{pattern}', '{replacement}'" in view for pattern, replacement in VARIABLE)
    assert f"1, {ID_LENGTH}))" in view
    assert all(re.compile(pattern) for pattern, _ in VARIABLE)


class TestJob:
    """The process that does the Spark part: here, one that only says what it is told to say."""

    @pytest.fixture
    def says(self, tmp_path, monkeypatch):
        def write(code: str) -> None:
            (tmp_path / "spoken.py").write_text(code)
            monkeypatch.setattr(job, "MODULE", "spoken")
            monkeypatch.setenv("PYTHONPATH", str(tmp_path))

        return write

    def test_its_answer_is_its_lines_of_json(self, says):
        says("""import sys, json; print("noise"); print(json.dumps({"asked": sys.argv[1:]}))""")
        assert job.run_job("plan", {"a": "b"}) == [{"asked": ["plan", '{"a": "b"}']}]

    def test_an_error_of_ours_comes_back_as_it_was(self, says):
        says("""print('{"error": "DataError", "message": "it was"}'); raise SystemExit(3)""")
        with pytest.raises(DataError, match="it was"):
            job.run_job("plan", {})

    def test_another_failure_brings_its_last_words(self, says):
        says("raise OSError('no luck')")
        with pytest.raises(TransientError, match="no luck"):
            job.run_job("plan", {})
