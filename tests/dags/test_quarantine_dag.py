"""The quarantine DAG's steps: what they ask the replay for, what they hand on, and when they stop."""

from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from millrace.errors import ConfigError
from millrace.quarantine.report import Applied, Group, Report

PARAMS = {
    "source": "user_events", "stage": "landing", "action": "replay", "group": "", "reason": None,
    "fix": " upper(text) ", "why": None, "from": "2026-01-31T10:00:00", "to": "", "limit": None, "again": False,
}  # fmt: skip


@pytest.fixture
def replay(monkeypatch):
    """The replay, which notes what it is asked, and finds as many records as it is told to."""
    from spark_jobs import replay as module

    seen = SimpleNamespace(requests=[], applied=[], ready=2)

    def plan(_session, _settings, _catalog, request):
        seen.requests.append(request)
        group = Group(reason="source: expected one of web, mobile, found ...", records=3, example="user-events/0/1")
        return Report(plan_id="p1", request=request, matched=3, ready=seen.ready, found=(group,))

    def apply(_session, _settings, _catalog, plan_id, by):
        seen.applied.append((plan_id, by))
        return Applied(plan_id=plan_id, replayed=2)

    monkeypatch.setattr(module, "plan", plan)
    monkeypatch.setattr(module, "apply", apply)
    return seen


def operator(kind):
    from millrace_airflow.operators import quarantine_steps

    task = getattr(quarantine_steps, kind)(task_id="t")
    task.spark = contextmanager(lambda _: (yield "session"))
    return task


def context(results=None, **params):
    pulled = SimpleNamespace(xcom_pull=lambda task_ids: (results or {})[task_ids])
    return {"params": PARAMS | params, "dag_run": SimpleNamespace(triggering_user_name="ann"), "ti": pulled}


def test_the_dry_run_asks_for_what_the_params_say(replay):
    handed_on = operator("QuarantineDryRunOperator").execute(context(limit=5))
    [request] = replay.requests
    assert (request.by, request.fix, request.selection.group, request.selection.limit) == (
        "ann",
        "upper(text)",
        None,
        5,
    )
    assert request.selection.since == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert (handed_on["plan_id"], handed_on["ready"]) == ("p1", 2)
    assert "would be sent: **2**" in handed_on["text"]


def test_a_wrong_request_fails_before_any_work(replay):
    with pytest.raises(ConfigError, match="takes a reason"):
        operator("QuarantineDryRunOperator").execute(context(action="discard", fix=None))
    assert replay.requests == []


def test_without_anything_to_do_nobody_is_asked(replay):
    from airflow.sdk.exceptions import AirflowSkipException

    replay.ready = 0
    with pytest.raises(AirflowSkipException, match="3 records match"):
        operator("QuarantineDryRunOperator").execute(context())


def test_the_approved_plan_is_applied_in_the_name_of_who_approved(replay):
    results = {"dry_run": {"plan_id": "p1"}, "approve": {"responded_by_user": {"id": "1", "name": "bob"}}}
    assert operator("QuarantineCarryOutOperator").execute(context(results))["replayed"] == 2
    assert replay.applied == [("p1", "bob")]


def test_an_unanswered_plan_is_rejected(dags):
    approve = dags["quarantine_replay"].get_task("approve")
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout.days == 1
    assert dags["quarantine_replay"].get_task("carry_out").upstream_task_ids == {"approve"}
