"""Which interval a run works on."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from millrace.errors import ConfigError
from millrace.intervals import Interval

TRIGGERED = datetime(2026, 1, 31, 10, 17, 5, tzinfo=UTC)
HOUR = Interval(datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 1, 31, 10, tzinfo=UTC))


def context(run_type="manual", taken=None, **params):
    run = SimpleNamespace(
        run_type=run_type, data_interval_start=HOUR.start, data_interval_end=HOUR.end, run_after=TRIGGERED
    )
    task = SimpleNamespace(xcom_pull=lambda task_ids: {"take_hours": taken}[task_ids])
    return {"dag_run": run, "ti": task, "params": {"from": None, "to": None} | params}


def interval_of(**kwargs):
    from millrace_airflow.run_interval import interval_of as find

    return find(context(**kwargs))


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_scheduled_runs_take_their_data_interval(run_type):
    assert interval_of(run_type=run_type) == HOUR


def test_a_run_that_took_other_hours_works_on_all_of_them():
    taken = {"from": "2026-01-31T08:00:00+00:00", "to": "2026-01-31T10:00:00+00:00"}
    assert interval_of(run_type="backfill", taken=taken) == Interval(HOUR.start - timedelta(hours=1), HOUR.end)


def test_by_hand_it_is_the_current_hour_up_to_the_trigger():
    assert interval_of() == Interval(datetime(2026, 1, 31, 10, tzinfo=UTC), TRIGGERED)


def test_by_hand_with_both_bounds():
    asked = interval_of(**{"from": "2026-01-30T00:00:00Z", "to": "2026-01-31T02:00:00+01:00"})
    assert asked == Interval(datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, 1, tzinfo=UTC))


def test_by_hand_with_an_end_alone_takes_the_hour_before_it():
    assert interval_of(to="2026-01-31T10:00:00Z") == HOUR


def test_a_moment_without_zone_is_utc():
    assert interval_of(**{"from": "2026-01-31T10:00:00"}).start == datetime(2026, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"from": "yesterday"}, "param 'from' is 'yesterday'; expected a date and time such as"),
        ({"to": "2026-02-01T00:00:00Z"}, "after the trigger"),
        ({"from": "2026-01-31T10:00:00Z", "to": "2026-01-31T10:00:00Z"}, "must be before 'to'"),
    ],
)
def test_wrong_params_say_what_to_type(params, said):
    with pytest.raises(ConfigError, match=said):
        interval_of(**params)


def test_airflow_takes_moments_and_nothing_else_for_the_params():
    from airflow.sdk.exceptions import ParamValidationError

    from millrace_airflow.run_interval import interval_params

    assert interval_params()["from"].resolve() is None
    assert interval_params()["to"].resolve("2026-01-31T10:00:00Z")
    with pytest.raises(ParamValidationError):
        interval_params()["to"].resolve(17)


@pytest.mark.parametrize(("minute", "hour"), [(0, 9), (9, 9), (17, 10)])
def test_timetable_begins_with_the_hour_in_which_it_appeared(monkeypatch, minute, hour):
    from airflow.sdk import timezone
    from airflow.timetables.base import DataInterval, TimeRestriction
    from pendulum import datetime as moment

    from millrace_airflow.timetable import GaplessTimetable

    monkeypatch.setattr(timezone, "utcnow", lambda: moment(2026, 1, 31, 10, minute))
    first = GaplessTimetable("0 * * * *", "UTC").next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(moment(2020, 1, 1), None, catchup=False)
    )
    assert first.data_interval == DataInterval(moment(2026, 1, 31, hour), moment(2026, 1, 31, hour + 1))
    assert first.run_after == moment(2026, 1, 31, hour + 1)


@pytest.mark.parametrize(
    ("refined_until", "begins"),
    [
        ("2026-01-31T04:00Z", "2026-01-31T04:00Z"),
        ("2026-01-31T04:23Z", "2026-01-31T04:00Z"),
        ("2026-01-31T11:00Z", "2026-01-31T10:00Z"),
        ("2025-06-30T04:00Z", "2026-01-24T10:00Z"),
        (None, "2026-01-31T10:00Z"),
    ],
)
def test_timetable_begins_where_the_ledger_ends(monkeypatch, refined_until, begins):
    """With a new database of Airflow's, and a lake that is not; within a week."""
    from airflow.sdk import timezone
    from airflow.timetables.base import TimeRestriction
    from pendulum import datetime as moment

    from millrace.control import database, hours
    from millrace_airflow.timetable import GaplessTimetable

    asked = []

    def read(_, sources):
        asked.append(sources)
        return refined_until and datetime.fromisoformat(refined_until)

    monkeypatch.setattr(timezone, "utcnow", lambda: moment(2026, 1, 31, 10, 17))
    monkeypatch.setattr(database, "connect", lambda _: nullcontext())
    monkeypatch.setattr(hours, "refined_until", read)
    timetable = GaplessTimetable("0 * * * *", "UTC", refines=["orders", "refunds"])
    first = GaplessTimetable.deserialize(timetable.serialize()).next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(moment(2020, 1, 1), None, catchup=False)
    )
    assert first.data_interval.start == datetime.fromisoformat(begins)
    assert asked == [["orders", "refunds"]]


def test_timetable_without_a_ledger_begins_as_if_new(monkeypatch):
    from airflow.sdk import timezone
    from airflow.timetables.base import TimeRestriction
    from pendulum import datetime as moment

    from millrace import settings as module
    from millrace_airflow.timetable import GaplessTimetable

    nowhere = module.settings().model_copy(update={"postgres_host": "127.0.0.1", "postgres_port": 1})
    monkeypatch.setattr(module, "settings", lambda: nowhere)
    monkeypatch.setattr(timezone, "utcnow", lambda: moment(2026, 1, 31, 10, 17))
    first = GaplessTimetable("0 * * * *", "UTC", refines=["orders"]).next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(moment(2020, 1, 1), None, catchup=False)
    )
    assert first.data_interval.start == moment(2026, 1, 31, 10)


def test_timetable_skips_no_hour_after_an_outage():
    from airflow.timetables.base import DataInterval, TimeRestriction
    from pendulum import datetime as moment

    from millrace_airflow.timetable import GaplessTimetable

    before_outage = DataInterval(moment(2026, 1, 31, 3), moment(2026, 1, 31, 4))
    after = GaplessTimetable("0 * * * *", "UTC").next_dagrun_info(
        last_automated_data_interval=before_outage, restriction=TimeRestriction(moment(2020, 1, 1), None, catchup=False)
    )
    assert after.data_interval == DataInterval(moment(2026, 1, 31, 4), moment(2026, 1, 31, 5))


def test_a_backfill_takes_every_hour():
    from airflow.timetables.base import TimeRestriction
    from pendulum import datetime as moment

    from millrace_airflow.timetable import GaplessTimetable

    asked = TimeRestriction(moment(2026, 1, 30, 3), moment(2026, 1, 30, 5), catchup=True)
    first = GaplessTimetable("0 * * * *", "UTC").next_dagrun_info(last_automated_data_interval=None, restriction=asked)
    assert first.data_interval.start == moment(2026, 1, 30, 3)
