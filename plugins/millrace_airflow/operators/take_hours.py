"""The first task of a run: which hours it works for, or which other run works for its hour."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import DownstreamTasksSkipped
from psycopg import Connection

from millrace.control.database import connect
from millrace.control.hours import give_back, has_done, one_at_a_time, read_taken, write_taken
from millrace.intervals import Interval
from millrace.settings import settings
from millrace_airflow.failures import resolve_failures_of
from millrace_airflow.hours import together
from millrace_airflow.run_interval import interval_of, scheduled_interval
from millrace_airflow.triggers.run_end import RunEndTrigger

DONE = "done"
"""The task that ends a run, and is left when another run does the work."""


class TakeHoursOperator(BaseOperator):
    """In a backfill, takes the run's hour with neighbours that wait; where another took it, waits for that one.

    A run whose hour another has refined, with a ledger that balances, skips its tasks. Where the other fails, each run
    works for its own hour alone: a bad hour holds up no good one. So does the one that failed, once it is cleared.
    """

    ui_color = "#eeeeee"

    def __init__(self, *, sources: Collection[str], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.sources = list(sources)

    def execute(self, context: Context) -> dict[str, Any]:
        """The interval that all tasks of the run work on."""
        own, run = scheduled_interval(context), context["dag_run"]
        if own is None:
            return _told(interval_of(context))
        with connect(settings()) as conn:
            with one_at_a_time(conn, run.dag_id):
                taken = read_taken(conn, run.dag_id)
                other = taken.get(own.start, run.run_id)
                tried = list(taken.values()).count(run.run_id) > 1
                if other == run.run_id and not tried and run.run_type == "backfill":
                    return self._take(conn, context, self._together(context, own, taken))
            if other == run.run_id or run.run_type != "backfill":
                return self._take(conn, context, own)
            if _runs(context, ["running"], run_ids=[other]):
                self._await(run.dag_id, other)
            if _runs(context, ["success"], run_ids=[other]) and has_done(conn, run.dag_id, other, self.sources, own):
                self._leave(conn, context, own, other)
            self.log.warning("%s took this hour and has not done its work; this run works for it alone", other)
            return self._take(conn, context, own)

    def execute_complete(self, context: Context, event: object = None) -> dict[str, Any]:
        """The run that took the hour is no longer at work: see how it ended."""
        return self.execute(context)

    def _together(self, context: Context, own: Interval, taken: dict[datetime, str]) -> Interval:
        """The hour with its neighbours that wait for a run, and for which none works."""

        def waits(hour: datetime) -> bool:
            if hour in taken and _runs(context, ["running"], run_ids=[taken[hour]]):
                return False
            return _runs(context, ["queued", "running"], logical_dates=[hour])

        return together(own, waits, settings().hours_together)

    def _take(self, conn: Connection, context: Context, interval: Interval) -> dict[str, Any]:
        run, hours = context["dag_run"], interval.hours()
        write_taken(conn, run.dag_id, run.run_id, hours)
        self.log.info("this run works for %s; hours taken together: %d", interval, len(hours))
        return _told(interval)

    def _await(self, dag_id: str, other: str) -> NoReturn:
        self.log.info("%s works for this hour too; waiting for its end", other)
        self.defer(trigger=RunEndTrigger(dag_id, other), method_name="execute_complete")

    def _leave(self, conn: Connection, context: Context, own: Interval, other: str) -> NoReturn:
        """Skip everything; what an earlier attempt of this run has complained of is done now."""
        run = context["dag_run"]
        self.log.info("%s has refined this hour, and its ledger balances; clear this run to have it done again", other)
        give_back(conn, run.dag_id, other, own.start)
        resolve_failures_of(conn, run.dag_id, run.run_id, by=other)
        tasks = sorted(self.get_flat_relative_ids(upstream=False) - {DONE})
        raise DownstreamTasksSkipped(tasks=tasks)  # type: ignore[no-untyped-call]


def _runs(context: Context, states: list[str], **which: Any) -> bool:
    """Whether such a run of this DAG is in one of these states; one that was deleted is in none."""
    return bool(context["ti"].get_dr_count(dag_id=context["dag_run"].dag_id, states=states, **which))


def _told(interval: Interval) -> dict[str, str]:
    return {"from": interval.start.isoformat(), "to": interval.end.isoformat()}
