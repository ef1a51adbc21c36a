"""Airflow's own backfill of a day, all tasks and gates, beside the range job over the same events."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.history import write_hours
from bench.live import warm_up
from bench.measure import cpu_by_part, spent
from bench.stack import BenchStack
from bench.topic import forget_records
from deploy.local.airflow_api import AirflowApi
from deploy.local.condition import came_true
from millrace import names
from millrace.errors import TransientError
from spark_jobs.edges.session import connect_session

DOMAIN = "shop"
LONGEST = 3600.0
PARSED_SECONDS = 120.0


@dataclass(frozen=True)
class Backfill:
    """How a backfill went."""

    hours: int
    events: int
    seconds: float
    tasks: int
    skipped: int
    failed: int
    cpu: dict[str, float]
    """CPU microseconds per event of each part of the stack, meanwhile."""


def backfill(stack: BenchStack, hours: int, per_hour: int) -> Backfill:
    """Write so many hours of bronze, on a day nobody has used yet, and have Airflow backfill them.

    The ledger asks Kafka and the live table too: on that day they have forgotten what they held, as they would have.
    """
    api, dag = AirflowApi(stack.settings), names.medallion_dag(DOMAIN)
    if not came_true(lambda: api.has_dag(dag), PARSED_SECONDS):
        raise TransientError(f"Airflow does not show {dag}; see `make doctor`")
    warm_up(stack, rate=100, seconds=5)
    forget_records(stack.settings, stack.source.topic.name)
    _backfilled(api, dag, _this_hour() - timedelta(hours=1), 1)  # or each hour since the measured ones would run too
    first = _unused_day(api, dag)
    _write(stack, first, hours, per_hour)
    before, began = cpu_by_part(stack.stack), time.monotonic()
    ended = _backfilled(api, dag, first, hours)
    seconds = time.monotonic() - began
    cpu = spent(before, cpu_by_part(stack.stack), hours * per_hour)
    tasks = _tasks(api, dag, first)
    states = Counter(str(task["state"]) for task in tasks)
    skipped, failed = states["skipped"], len(tasks) - states["skipped"] - states["success"]
    return Backfill(hours, hours * per_hour, seconds if ended else float("inf"), len(tasks), skipped, failed, cpu)


def _backfilled(api: AirflowApi, dag: str, first: datetime, hours: int) -> bool:
    """Have Airflow run so many hours, and wait; False when it takes too long.

    All may run at once: one of them takes the hours of all.
    """
    last = first + timedelta(hours=hours - 1)
    made = api.backfill(dag, first, last, reprocess="none", max_active_runs=hours)
    return came_true(lambda: api.has_ended(made), LONGEST)


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def _unused_day(api: AirflowApi, dag: str) -> datetime:
    """A past day without a backfill, so that a second measurement starts from nothing too."""
    day = _this_hour().replace(hour=0) - timedelta(days=10)
    while _runs(api, dag, day):
        day -= timedelta(days=5)
    return day


def _runs(api: AirflowApi, dag: str, day: datetime) -> list[dict[str, object]]:
    window = {"logical_date_gte": day.isoformat(), "logical_date_lt": (day + timedelta(days=1)).isoformat()}
    return list(api.call("GET", f"dags/{dag}/dagRuns", limit=100, **window)["dag_runs"])


def _tasks(api: AirflowApi, dag: str, day: datetime) -> list[dict[str, object]]:
    runs = [str(run["dag_run_id"]) for run in _runs(api, dag, day) if run["run_type"] == "backfill"]
    return [task for run in runs for task in api.tasks(dag, run)]


def _write(stack: BenchStack, first: datetime, hours: int, per_hour: int) -> None:
    """The stream application writes bronze otherwise: it pauses meanwhile."""
    path = names.table_path(stack.settings.lake, "bronze", stack.source.name)
    with stack.streams("paused"):
        spark = connect_session(stack.settings)
        try:
            write_hours(spark, path, stack.source, first, hours, per_hour)
        finally:
            spark.stop()
