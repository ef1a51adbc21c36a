"""What a run makes of its hour: take it, with others or alone, wait for who took it, or leave it to that run."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from millrace.intervals import Interval

HOUR = timedelta(hours=1)
OWN = datetime(2026, 1, 31, 9, tzinfo=UTC)
NEXT, LAST = OWN + HOUR, OWN + 2 * HOUR


@pytest.fixture
def platform(monkeypatch):
    """The notes of a control plane, and the states of Airflow's runs by id or by hour."""
    from millrace_airflow.operators import take_hours as module

    seen = SimpleNamespace(taken={}, states={}, done=False, given_back=[])

    def write(_conn, _dag, run, hours):
        seen.taken = {hour: by for hour, by in seen.taken.items() if by != run} | dict.fromkeys(hours, run)

    fakes = {
        "connect": lambda _: nullcontext(),
        "one_at_a_time": lambda *_: nullcontext(),
        "read_taken": lambda *_: dict(seen.taken),
        "write_taken": write,
        "give_back": lambda _conn, _dag, run, hour: seen.given_back.append((run, hour)),
        "has_done": lambda *_: seen.done,
        "resolve_failures_of": lambda *_, by: None,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(module, name, fake)
    return seen


@pytest.fixture
def take(platform):
    """Runs the task of the run `me`, whose hour is OWN; the hours that it works for."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    from millrace_airflow.operators.take_hours import DONE, TakeHoursOperator

    with DAG("shop_medallion"):
        task = TakeHoursOperator(task_id="take_hours", sources=["orders"])
        task >> EmptyOperator(task_id="stage") >> EmptyOperator(task_id=DONE)

    def count(dag_id, states, run_ids=(), logical_dates=()):
        return sum(platform.states.get(each) in states for each in (*run_ids, *logical_dates))

    def taken(run_type="backfill"):
        run = SimpleNamespace(
            dag_id="shop_medallion", run_id="me", run_type=run_type, run_after=LAST,
            data_interval_start=OWN, data_interval_end=NEXT,
        )  # fmt: skip
        params = {"from": None, "to": None}
        told = task.execute({"dag_run": run, "ti": SimpleNamespace(get_dr_count=count), "params": params})
        return list(Interval.parse(told["from"], told["to"]).hours())

    return taken


def test_a_backfill_takes_neighbours_that_wait(platform, take):
    platform.states = {NEXT: "queued", LAST: "running"}
    assert take() == [OWN, NEXT, LAST]
    assert platform.taken == dict.fromkeys([OWN, NEXT, LAST], "me")


def test_what_another_works_for_is_not_taken(platform, take):
    platform.states = {NEXT: "running", LAST: "queued", "other": "running"}
    platform.taken = {NEXT: "other"}
    assert take() == [OWN]
    platform.states["other"], platform.taken = "failed", {NEXT: "other"}
    assert take() == [OWN, NEXT, LAST]


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_other_runs_work_for_themselves(platform, take, run_type):
    platform.states, platform.taken = {NEXT: "queued", "other": "running"}, {OWN: "other"}
    assert len(take(run_type)) == 1


def test_it_waits_while_the_one_that_took_it_is_at_work(platform, take):
    from airflow.sdk.exceptions import TaskDeferred

    platform.taken, platform.states = {OWN: "other", NEXT: "other"}, {"other": "running"}
    with pytest.raises(TaskDeferred) as deferred:
        take()
    assert (deferred.value.trigger.dag_id, deferred.value.trigger.run_id) == ("shop_medallion", "other")


def test_it_leaves_everything_to_one_that_has_done_it(platform, take):
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    platform.taken, platform.states, platform.done = {OWN: "other"}, {"other": "success"}, True
    with pytest.raises(DownstreamTasksSkipped) as left:
        take()
    assert left.value.tasks == ["stage"]
    assert platform.given_back == [("other", OWN)]


@pytest.mark.parametrize(("state", "done"), [("failed", True), ("success", False), ("queued", True), (None, True)])
def test_it_works_alone_where_the_other_has_not_done_it(platform, take, state, done):
    platform.taken, platform.done = {OWN: "other", NEXT: "other"}, done
    platform.states = {"other": state, NEXT: "queued"}
    assert take() == [OWN]
    assert platform.taken == {OWN: "me", NEXT: "other"}


def test_asked_again_for_its_own_hour_it_takes_neighbours_too(platform, take):
    platform.taken, platform.states = {OWN: "me"}, {NEXT: "queued"}
    assert take() == [OWN, NEXT]


def test_cleared_after_it_took_others_it_works_alone(platform, take):
    platform.taken, platform.states = {OWN: "me", NEXT: "me"}, {NEXT: "queued"}
    assert take() == [OWN]
    assert platform.taken == {OWN: "me"}
