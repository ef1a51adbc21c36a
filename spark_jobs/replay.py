"""Quarantined records again: plan what a request would do, then send them through their topic, or discard them.

A plan fixes the set of records (a version of the table), so that what was shown is what is applied. A record whose
event has landed meanwhile is closed and not sent: to repeat a replay, at any time, changes nothing.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

from psycopg import Connection
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession, functions as F

from millrace.clickhouse.client import connect as connect_clickhouse, is_transient
from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.control.database import connect
from millrace.control.quarantine import Plan, close_plan, decide, decided_positions, read_plan, save_plan
from millrace.errors import ConfigError, DataError
from millrace.intervals import Interval
from millrace.quarantine.index import copy_decisions
from millrace.quarantine.report import Applied, Group, Report
from millrace.quarantine.request import Request
from millrace.settings import Settings
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, judged_rows
from spark_jobs.edges import lake
from spark_jobs.edges.locks import exclusive
from spark_jobs.edges.quarantined import ORDER, POSITION, oldest, originals, selected, table_of, without
from spark_jobs.edges.refinement import read_refinement
from spark_jobs.edges.resending import Resending
from spark_jobs.edges.writer_schemas import writer_schemas
from spark_jobs.transforms.replay import ORIGINAL, event_ids, fixed, outcomes, reason_group, verdicts

log = logging.getLogger(__name__)
CHUNK = 2000
"""Records that are sent, acknowledged and decided about together; a crash repeats at most one chunk."""


@dataclass(frozen=True)
class ReplayRun:
    """A request on its way, with what it takes to carry it out."""

    spark: SparkSession
    settings: Settings
    catalog: Catalog
    request: Request

    @property
    def source(self) -> Source:
        return self.catalog.source(self.request.selection.source)


def plan(spark: SparkSession, settings: Settings, catalog: Catalog, request: Request) -> Report:
    """The dry run: find the records, work out what would become of each, and keep that as a plan."""
    run = ReplayRun(spark, settings, catalog, request)
    plan_id, path = uuid4().hex[:12], table_of(settings, run.source.name, request.selection.stage)
    if lake.read(spark, path) is None:
        return Report(plan_id=plan_id, request=request, matched=0, ready=0, found=())
    version = lake.version(spark, path)
    with connect(settings) as conn, _told_about(request):
        rows = _open_rows(run, conn, version)
        found = _groups(_with_example(rows))
        report = Report(plan_id=plan_id, request=request, matched=sum(g.records for g in found), ready=0, found=found)
        if report.matched:
            report = _forecast(run, rows, report)
        save_plan(conn, report, version)
    return report


def apply(spark: SparkSession, settings: Settings, catalog: Catalog, plan_id: str, by: str) -> Applied:
    """Do what a plan says; an attempt that broke off is continued. Raises DataError when it was done before."""
    with connect(settings) as conn:
        source = read_plan(conn, plan_id).report.request.selection.source
        with exclusive(settings, f"quarantine.{source}"):
            planned = read_plan(conn, plan_id)
            if planned.applied_at is not None:
                raise DataError(f"plan {plan_id} was applied by {planned.applied_by} at {planned.applied_at}")
            run = ReplayRun(spark, settings, catalog, planned.report.request)
            with _told_about(run.request):
                _carry_out(run, conn, planned, by)
            applied = close_plan(conn, plan_id, by)
        _show(settings, conn, source)
    log.info("%s", applied)
    return applied


def _carry_out(run: ReplayRun, conn: Connection, planned: Plan, by: str) -> None:
    """Chunk by chunk: send, wait for every acknowledgement, write the decisions."""
    rows = _open_rows(run, conn, planned.lake_version, planned.planned_at)
    if run.request.action == "discard":
        chosen = rows.select(F.struct(*POSITION, "append_time").alias(ORIGINAL), F.lit("discarded").alias("outcome"))
    else:
        chosen = _outcomes(run, rows).where("outcome != 'refused'")
    left = chosen.orderBy(*[F.col(ORIGINAL)[name] for name in ORDER]).toLocalIterator()
    resending = Resending(run.settings, run.source, planned.report.plan_id, run.request, by)
    while chunk := list(islice(left, CHUNK)):
        decisions, raise_failures = resending.send(chunk)
        decide(conn, decisions)
        raise_failures()


def _open_rows(run: ReplayRun, conn: Connection, version: int, planned_at: datetime | None = None) -> DataFrame:
    """What the selection takes. A plan that is applied takes what it took when it was made, less what is done since."""
    selection = run.request.selection
    rows = selected(run.spark, run.settings, selection, version)
    if not selection.again:
        rows = without(rows, decided_positions(conn, selection, before=planned_at))
    rows = oldest(rows, selection.limit)
    return rows if planned_at is None else without(rows, decided_positions(conn, selection, since=planned_at))


def _forecast(run: ReplayRun, rows: DataFrame, report: Report) -> Report:
    """With the counts that depend on what would become of each record."""
    if run.request.action == "discard":
        return report.model_copy(update={"ready": report.matched})
    judged = _with_example(_outcomes(run, rows).select("outcome", "reason", f"{ORIGINAL}.*")).cache()
    counts = {row["outcome"]: row["count"] for row in judged.groupBy("outcome").count().collect()}
    refused = _groups(judged.where("outcome = 'refused'"))
    judged.unpersist()
    counted = {"ready": counts.get("ready", 0), "landed": counts.get("landed", 0), "refused": refused}
    return report.model_copy(update=counted)


def _outcomes(run: ReplayRun, rows: DataFrame) -> DataFrame:
    """What would become of each row, were it sent now."""
    source, own = run.source, read_refinement(run.source)
    schemas = writer_schemas(run.settings, source)
    records = originals(rows, run.settings, source, run.request.selection.stage)
    judged = verdicts(fixed(records, source, schemas, run.request.fix), source, schemas, own.refine, own.reject_rules)
    first = rows.agg(F.min("append_time")).collect()[0][0]
    return outcomes(judged, judged.limit(0) if first is None else _landed(run, first))


def _landed(run: ReplayRun, first: datetime) -> DataFrame:
    """Ids of the acceptable bronze rows that the oldest of the records, or a later one, could repeat."""
    since = first.astimezone(UTC) - run.source.dedup_window
    interval = Interval(since, datetime.now(UTC) + timedelta(minutes=1))
    batch = BatchRun(run.spark, run.settings, run.catalog, interval, "replay")
    return event_ids(acceptable(judged_rows(batch, run.source, interval)), run.source)


def _with_example(rows: DataFrame) -> DataFrame:
    return rows.withColumn("example", F.concat_ws("/", *POSITION))


def _groups(rows: DataFrame) -> tuple[Group, ...]:
    """The reasons of rows, without what differs from record to record, most frequent first."""
    counted = rows.groupBy(reason_group(F.col("reason")).alias("reason")).agg(F.count("*"), F.min("example")).collect()
    found = [Group(reason=reason, records=records, example=example) for reason, records, example in counted]
    return tuple(sorted(found, key=lambda group: (-group.records, group.reason)))


def _show(settings: Settings, conn: Connection, source: str) -> None:
    """Copy to ClickHouse what was decided; the copy may lag, and the next plan brings it up."""
    try:
        copy_decisions(conn, connect_clickhouse(settings), source)
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("ops.quarantine_decisions in ClickHouse lags: %s", error)


@contextmanager
def _told_about(request: Request) -> Iterator[None]:
    """Say that the fix is wrong where Spark says that some expression is; without values, which may be personal."""
    try:
        yield
    except AnalysisException as error:
        if request.fix is None:
            raise
        raise ConfigError(f"the fix {request.fix!r} does not work: {str(error).splitlines()[0]}") from error
    except PySparkException as error:
        if request.fix is None or error.getCondition() is None:
            raise
        raise DataError(
            f"the fix {request.fix!r} fails on a record: {error.getCondition()}; functions that begin with try_ give "
            "null instead"
        ) from None
