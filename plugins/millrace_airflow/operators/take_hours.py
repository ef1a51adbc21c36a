"""The first task of a run: which hours it works for, or which other run works for its hour."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, NoReturn

from airflow.providers.standard.triggers.external_task import DagStateTrigger
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import DownstreamTasksSkipped
from psycopg import Connection

from millrace.control.alerts import open_alerts, resolve_alerts
from millrace.control.database import connect
from millrace.control.hours import give_back, has_balanced, one_at_a_time, read_taken, write_taken
from millrace.intervals import Interval
from millrace.settings import settings
from millrace_airflow.hours import starts, together
from millrace_airflow.run_interval import interval_of, scheduled_interval

DONE = "done"
"""The task that ends a run, and is left when another run does the work."""
_AT_WORK, _ENDED = ["queued", "running"], ["success", "failed"]
_LOOK_EVERY = 5.0


class TakeHoursOperator(BaseOperator):
    """Takes the run's hour together with neighbours whose runs wait; where another took it, waits for that one.

    A run whose hour another has refined, with a ledger that balances, skips its tasks. Where the other fails, each run
    works for its own hour alone: a bad hour holds up no good one.
    """

    ui_color = "#eeeeee"

    def __init__(self, *, sources: Collection[str], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.sources = list(sources)

    def execute(self, context: Context) -> dict[str, Any]:
        """The interval that all tasks of the run work on."""
        own = scheduled_interval(context)
        if own is None:
            return _told(interval_of(context))
        dag_id, run_id, task = context["dag_run"].dag_id, context["dag_run"].run_id, context["ti"]
        with connect(settings()) as conn:
            with one_at_a_time(conn, dag_id):
                taken = read_taken(conn, dag_id)
                other = taken.get(own.start)
                if other is None or other == run_id:
                    return self._take(conn, context, together(own, _waiting(task, dag_id, run_id, taken), _most()))
            state = task.get_dagrun_state(dag_id=dag_id, run_id=other)
            if state in _AT_WORK:
                self._await(dag_id, other)
            if state == "success" and has_balanced(conn, other, self.sources, own):
                self._leave(conn, context, own, other)
            self.log.warning("%s took this hour and ended as '%s'; this run works for it alone", other, state)
            return self._take(conn, context, own)

    def execute_complete(self, context: Context, event: object = None) -> dict[str, Any]:
        """The run that took the hour has ended: see how."""
        return self.execute(context)

    def _take(self, conn: Connection, context: Context, interval: Interval) -> dict[str, Any]:
        own, run = scheduled_interval(context), context["dag_run"]
        assert own is not None
        hours = starts(interval, own.end - own.start)
        write_taken(conn, run.dag_id, run.run_id, hours)
        self.log.info("this run works for %s; hours taken together: %d", interval, len(hours))
        return _told(interval)

    def _await(self, dag_id: str, other: str) -> NoReturn:
        self.log.info("%s works for this hour too; waiting for its end", other)
        trigger = DagStateTrigger(dag_id, _ENDED, [other], poll_interval=_LOOK_EVERY)  # type: ignore[arg-type]
        self.defer(trigger=trigger, method_name="execute_complete")

    def _leave(self, conn: Connection, context: Context, own: Interval, other: str) -> NoReturn:
        """Skip everything; what an earlier attempt of this run has complained of is done now."""
        run = context["dag_run"]
        self.log.info("%s has refined this hour, and its ledger balances; clear this run to have it done again", other)
        give_back(conn, run.dag_id, other, own.start)
        for alert in open_alerts(conn, "task_failed"):
            if alert.subject.endswith(f", {run.run_id}") and alert.subject.startswith(f"{run.dag_id}."):
                resolve_alerts(conn, "task_failed", alert.subject, by=other)
        tasks = sorted(self.get_flat_relative_ids(upstream=False) - {DONE})
        raise DownstreamTasksSkipped(tasks=tasks)  # type: ignore[no-untyped-call]


def _waiting(task: Any, dag_id: str, run_id: str, taken: dict[datetime, str]) -> Callable[[datetime], bool]:
    """Whether a run waits for an hour that nobody works for; an hour that this run took before is its own."""

    def waits(hour: datetime) -> bool:
        holder = taken.get(hour)
        if holder == run_id:
            return True
        if holder is not None and task.get_dagrun_state(dag_id=dag_id, run_id=holder) in _AT_WORK:
            return False
        return bool(task.get_dr_count(dag_id=dag_id, logical_dates=[hour], states=_AT_WORK))

    return waits


def _most() -> int:
    return settings().hours_together


def _told(interval: Interval) -> dict[str, str]:
    return {"from": interval.start.isoformat(), "to": interval.end.isoformat()}
