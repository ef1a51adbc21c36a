"""Which interval a run works on: its data interval and those it took with it, or what a person asked for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context, Param

from millrace.errors import ConfigError
from millrace.intervals import Interval

EXAMPLE = "2026-01-31T10:00:00Z"
TAKE_HOURS = "take_hours"
"""The task whose result is the interval of a run that works for other hours too; few DAGs have one."""


def interval_params() -> dict[str, Param]:
    """The params `from` and `to` of a DAG that is also triggered by hand."""
    return {
        "from": moment_param("From", "Start, inclusive. Empty: the start of the hour that `To` lies in."),
        "to": moment_param("To", "End, exclusive; not in the future. Empty: the moment of the trigger."),
    }


def interval_of(context: Context) -> Interval:
    """The interval that the task's run works on; the same for every task and every retry of the run."""
    own = scheduled_interval(context)
    if own is None:
        return asked_interval(context["params"], _utc(context["dag_run"].run_after))
    taken = context["ti"].xcom_pull(task_ids=TAKE_HOURS)
    return Interval.parse(taken["from"], taken["to"]) if taken else own


def scheduled_interval(context: Context) -> Interval | None:
    """The data interval of a run that a schedule or a backfill made; None for one that a person triggered."""
    run = context["dag_run"]
    start, end = run.data_interval_start, run.data_interval_end
    return Interval(start, end) if run.run_type != "manual" and start and end and start < end else None


def asked_interval(params: Mapping[str, Any], triggered_at: datetime) -> Interval:
    """The interval that the params of a manual run ask for; raises ConfigError saying what to type instead."""
    end = parse_moment("to", params.get("to")) or triggered_at
    start = parse_moment("from", params.get("from")) or _hour_of(end)
    if end > triggered_at:
        raise ConfigError(
            f"'to' is {end.isoformat()}, after the trigger at {triggered_at.isoformat()}; only what has been appended "
            "can be complete. Leave 'to' empty, or trigger again later."
        )
    if start >= end:
        raise ConfigError(f"'from' {start.isoformat()} must be before 'to' {end.isoformat()}")
    return Interval(start, end)


def moment_param(title: str, description: str) -> Param:
    """A param for a moment, which may be left empty."""
    return Param(None, type=["null", "string"], format="date-time", title=title, description=description)


def parse_moment(name: str, value: object) -> datetime | None:
    """The moment that the param `name` gives; raises ConfigError with an example."""
    if value is None or value == "":
        return None
    try:
        return _utc(datetime.fromisoformat(str(value)))
    except ValueError as error:
        raise ConfigError(f"param '{name}' is {value!r}; expected a date and time such as {EXAMPLE}") from error


def _hour_of(end: datetime) -> datetime:
    """Start of the hour that holds the last moment before `end`."""
    return (end - timedelta(microseconds=1)).replace(minute=0, second=0, microsecond=0)


def _utc(moment: datetime) -> datetime:
    """Moments without a zone are UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
