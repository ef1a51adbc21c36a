"""Bronze to silver for one interval: stage the candidates aside, gate them, publish them insert-only.

A row is a duplicate when an earlier acceptable row of bronze holds the same event id and was appended at most
`dedup_window` before it; when its content is new for that id, it is rejected instead. So what an interval gives to
silver depends on bronze alone: not on the order in which hours are refined, nor on how often.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.columns import REASON, STAGE, bronze_columns, silver_columns
from millrace.contracts.source import Source
from millrace.intervals import Interval
from spark_jobs.audit import audit
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, judged_rows
from spark_jobs.edges import lake
from spark_jobs.edges.quarantine_index import index_rejected
from spark_jobs.gates.result import GateResult
from spark_jobs.transforms.pii import pseudonymise
from spark_jobs.transforms.silver import contradictions, drop_repeats, drop_seen, shape

log = logging.getLogger(__name__)
PARTITION = "event_date"
_POSITION = ("kafka_partition", "kafka_offset")
_MOST_BROADCAST = 500_000


@dataclass(frozen=True)
class Staged:
    """What became of the interval's bronze rows: `bronze` = `candidates` + `duplicates` + `rejected`.

    Duplicates that contradict an earlier event are told from the others, and rejected, when silver is published.
    """

    bronze: int
    candidates: int
    duplicates: int
    rejected: int


@dataclass(frozen=True)
class Published:
    """What one attempt did; a repeated one inserts nothing. `partitions` hold rows of the interval either way."""

    inserted: int
    rejected: int
    partitions: tuple[str, ...]


def stage_silver(run: BatchRun, name: str) -> Staged:
    """Refine the interval's bronze rows to candidate rows, aside."""
    source = run.catalog.source(name)
    key = run.settings.pseudonym_key.get_secret_value().encode()
    candidates = fresh_rows(run, source).transform(pseudonymise, source, key)
    lake.write_aside(candidates.transform(shape, source, datetime.now(UTC)), run.staging("silver", name))
    return _counted(run, source)


def gate_silver(run: BatchRun, name: str) -> GateResult:
    """Judge the candidate rows by the source's silver suite."""
    return audit(run, "silver", name, run.spark.read.format("delta").load(run.staging("silver", name)))


def publish_silver(run: BatchRun, name: str) -> Published:
    """Insert the candidates that silver lacks, write down the rejected rows, and index them in ClickHouse."""
    source = run.catalog.source(name)
    ensure_silver(run, source)
    inserted = lake.insert_missing(
        run.spark, run.path("silver", name), run.staging("silver", name), _same_event(run.interval, source)
    )
    rejected = _publish_rejected(run, source)
    published = Published(inserted, rejected, touched_dates(run, source))
    log.info("silver.%s, %s: %s", name, run.interval, published)
    return published


def fresh_rows(run: BatchRun, source: Source) -> DataFrame:
    """The interval's acceptable bronze rows that repeat no earlier one."""
    judged = judged_rows(run, source, run.interval)
    earlier = acceptable(judged_rows(run, source, run.interval.before(source.dedup_window)))
    return acceptable(judged).transform(drop_repeats, source).transform(drop_seen, earlier, source)


def ensure_silver(run: BatchRun, source: Source) -> None:
    """Create or widen the tables that this module writes."""
    stats = ("append_time", "kafka_partition", "kafka_offset", "event_time")
    silver, rejected = run.path("silver", source.name), run.path("rejected", source.name)
    lake.ensure(run.spark, silver, silver_columns(source), partition=PARTITION, stats=stats)
    lake.ensure(run.spark, rejected, (*bronze_columns(source), REASON, STAGE), partition="append_hour")


def touched_dates(run: BatchRun, source: Source) -> tuple[str, ...]:
    """The days of silver that hold rows of the interval: told by the data, so that a retry finds the same."""
    silver = run.spark.read.format("delta").load(run.path("silver", source.name))
    days = silver.where(lake.appended_in(run.interval)).select(PARTITION).distinct().collect()
    return tuple(sorted(str(row[PARTITION]) for row in days))


def _publish_rejected(run: BatchRun, source: Source) -> int:
    path = run.path("rejected", source.name)
    refused = judged_rows(run, source, run.interval).where(F.col(REASON.name).isNotNull())
    others = contradicting_rows(run, source)
    rows = (refused.unionByName(others) if others else refused).withColumn(STAGE.name, F.lit("silver"))
    there = f"{lake.in_hours_of(run.interval)} AND {lake.appended_in(run.interval)}"
    count = rows.count()
    if count or not run.spark.read.format("delta").load(path).where(there).isEmpty():
        lake.replace_where(rows, path, there)
        index_rejected(run.settings, source.name, run.spark.read.format("delta").load(path).where(there))
    return count


def contradicting_rows(run: BatchRun, source: Source) -> DataFrame | None:
    """The interval's rows that have the id of an earlier event and other content; None when no id came again.

    Whole rows of the dedup window are read only for ids of rows that were not staged: those that came before.
    """
    staged = run.spark.read.format("delta").load(run.staging("silver", source.name))
    within = acceptable(judged_rows(run, source, run.interval))
    count = within.count() - staged.count()
    if not count:
        return None
    repeats = within.join(staged.select(*_POSITION), [*_POSITION], "left_anti").select(source.event.id)
    ids = F.broadcast(repeats) if count <= _MOST_BROADCAST else repeats
    reach = Interval(run.interval.before(source.dedup_window).start, run.interval.end)
    concerned = acceptable(judged_rows(run, source, reach)).join(ids, source.event.id, "left_semi")
    return concerned.transform(contradictions, source).where(lake.appended_in(run.interval))


def _same_event(interval: Interval, source: Source) -> str:
    """Matches a candidate c with a row t that silver has; only files that can hold rows of the interval are read."""
    window = f"INTERVAL '{int(source.dedup_window.total_seconds())}' SECOND"
    return (
        f"{lake.appended_in(interval, 't')} AND t.`{source.event.id}` = c.`{source.event.id}`"
        f" AND t.append_time BETWEEN c.append_time - {window} AND c.append_time + {window}"
    )


def _counted(run: BatchRun, source: Source) -> Staged:
    judged = judged_rows(run, source, run.interval)
    bronze, rejected = judged.agg(F.count("*"), F.count(REASON.name)).collect()[0]
    candidates = run.spark.read.format("delta").load(run.staging("silver", source.name)).count()
    staged = Staged(bronze, candidates, bronze - rejected - candidates, rejected)
    log.info("silver.%s, %s: %s", source.name, run.interval, staged)
    return staged
