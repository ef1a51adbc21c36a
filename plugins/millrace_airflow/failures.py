"""What happens when a task fails: which errors are retried, what its log tells a person to do, and the alert."""

from datetime import timedelta
from typing import Any

import structlog
from airflow.sdk import Context, ExceptionRetryPolicy, RetryAction, RetryRule
from psycopg import Connection

from millrace import names
from millrace.control.alerts import open_alerts, resolve_alerts
from millrace.errors import ConfigError, DataError, FencedError, Unbalanced
from millrace_airflow.supervision import StreamGroupDown

_NEXT_STEP = {
    Unbalanced: "The line is written; it says which hop lacks rows, and how many. Where a task above failed, mend that "
    "first and clear it with everything downstream. Where none did, see *The ledger does not balance* in "
    "docs/operating.md.",
    DataError: "The data broke a rule, and retrying changes nothing; nothing of this step was published. Mend what the "
    "message above names, then clear the tasks of this table from `stage` on. A run that took several hours: clear it "
    "whole, and it works for its own alone.",
    ConfigError: "A contract or a setting is wrong. Mend it (`millrace check` shows file and line), then clear this "
    "task.",
    StreamGroupDown: "The streams are down; records wait in Kafka, none is lost. Mend the cause that the log above "
    f"names, then trigger {names.STREAM_CONTROL_DAG} with 'running'; a changed source, model or job is tried unasked.",
    FencedError: "Another driver has taken over; this one stopped before it wrote. Clear this task if its run must "
    "go on.",
}
_ALERT_THEMSELVES = (StreamGroupDown, Unbalanced)
"""Errors for which whoever raises them has opened a more telling alert."""
_ELSE = (
    "All retries are used up. See the error above and `make doctor` for the service that fails; then clear this task: "
    "it may run any number of times."
)

RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[DataError, ConfigError, StreamGroupDown],
                action=RetryAction.FAIL,
                reason="the same however often it is tried",
            )
        ]
    ),
}
"""Arguments of every task: transient errors three times with growing delays, data errors not at all."""


def next_step(error: object) -> str:
    """What a person does next after `error`."""
    return next((text for kind, text in _NEXT_STEP.items() if isinstance(error, kind)), _ELSE)


def task_failed(context: Context) -> None:
    """Airflow callback: the last line of the log says what to do, and an alert is open until the task succeeds."""
    error = context.get("exception")
    structlog.get_logger("task").error(next_step(error))
    if isinstance(error, _ALERT_THEMSELVES):
        return
    from millrace.alerting import alert
    from millrace.settings import settings

    alert(
        settings(),
        kind="task_failed",
        subject=_subject(context),
        message=f"{type(error).__name__}: {error}" if error else "the task was killed, or its process died",
        severity="critical",
        run_id=context["ti"].run_id,
    )


def task_succeeded(context: Context) -> None:
    """Airflow callback: resolves what an earlier failure of the task has opened."""
    if context["ti"].try_number == 1 and _each_run_counts(context):
        return
    from millrace.alerting import all_clear
    from millrace.settings import settings

    all_clear(settings(), "task_failed", _subject(context))


def resolve_failures_of(conn: Connection, dag_id: str, run_id: str, by: str) -> None:
    """Resolve what failed tasks of a run have opened: another run has done their work."""
    for alert in open_alerts(conn, "task_failed"):
        if alert.subject.startswith(f"{dag_id}.") and alert.subject.endswith(_of_run(run_id)):
            resolve_alerts(conn, "task_failed", alert.subject, by)


def _subject(context: Context) -> str:
    """The task; and the run, where each run has work of its own, which no other run makes good."""
    task = f"{context['ti'].dag_id}.{context['ti'].task_id}"
    return task + _of_run(context["ti"].run_id) if _each_run_counts(context) else task


def _of_run(run_id: str) -> str:
    return f", {run_id}"


def _each_run_counts(context: Context) -> bool:
    """Whether the DAG's runs work on intervals."""
    return "from" in (context.get("params") or {})
