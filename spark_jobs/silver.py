"""Bronze to silver for one interval: stage the candidates aside, gate them, publish them insert-only.

A row is a duplicate when an earlier acceptable row of bronze holds the same event id and was appended at most
`dedup_window` before it; when its content is new for that id, it is rejected instead. So what an interval gives to
silver depends on bronze alone: not on the order in which hours are refined, nor on how often.
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.columns import REASON, STAGE, bronze_columns, silver_columns
from millrace.contracts.source import Source
from millrace.errors import MillraceError
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
    judged = judged_rows(run, source, run.interval)
    bronze, refused = judged.agg(F.count("*"), F.count(REASON.name)).collect()[0]
    candidates = fresh_rows(run, source).transform(pseudonymise, source, key)
    note = json.dumps({"acceptable": bronze - refused, "refused": refused})
    lake.write_aside(candidates.transform(shape, source, datetime.now(UTC)), run.staging("silver", name), note=note)
    fresh = _staged(run, source).count()
    staged = Staged(bronze, fresh, bronze - refused - fresh, refused)
    log.info("silver.%s, %s: %s", name, run.interval, staged)
    return staged


def gate_silver(run: BatchRun, name: str) -> GateResult:
    """Judge the candidate rows by the source's silver suite."""
    return audit(run, "silver", name, _staged(run, run.catalog.source(name)))


def publish_silver(run: BatchRun, name: str) -> Published:
    """Insert the candidates that silver lacks, write down the rejected rows, and index them in ClickHouse."""
    source = run.catalog.source(name)
    ensure_silver(run, source)
    inserted = lake.insert_missing(
        run.spark, run.path("silver", name), run.staging("silver", name), _same_event(run.interval, source)
    )
    days = {str(row[PARTITION]): row["count"] for row in _staged(run, source).groupBy(PARTITION).count().collect()}
    rejected = _publish_rejected(run, source, _rejected_rows(run, source, sum(days.values())))
    published = Published(inserted, rejected, tuple(sorted(days)))
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


def contradicting_rows(run: BatchRun, source: Source, repeated: int) -> DataFrame:
    """The interval's rows that have the id of an earlier event and other content.

    Whole rows of the dedup window are read only for ids of the `repeated` rows that were not staged: those that came
    before.
    """
    within = acceptable(judged_rows(run, source, run.interval))
    repeats = within.join(_staged(run, source).select(*_POSITION), [*_POSITION], "left_anti").select(source.event.id)
    ids = F.broadcast(repeats) if repeated <= _MOST_BROADCAST else repeats
    reach = Interval(run.interval.before(source.dedup_window).start, run.interval.end)
    concerned = acceptable(judged_rows(run, source, reach)).join(ids, source.event.id, "left_semi")
    return concerned.transform(contradictions, source).where(lake.appended_in(run.interval))


def _rejected_rows(run: BatchRun, source: Source, fresh: int) -> DataFrame | None:
    """The rows that were refused, and those that contradict an earlier one; None where staging has left out none."""
    acceptable_rows, refused = _noted(run, source)
    rows = []
    if refused:
        rows.append(judged_rows(run, source, run.interval).where(F.col(REASON.name).isNotNull()))
    if repeated := acceptable_rows - fresh:
        rows.append(contradicting_rows(run, source, repeated))
    return reduce(DataFrame.unionByName, rows).withColumn(STAGE.name, F.lit("silver")) if rows else None


def _publish_rejected(run: BatchRun, source: Source, rows: DataFrame | None) -> int:
    path = run.path("rejected", source.name)
    there = f"{lake.in_hours_of(run.interval)} AND {lake.appended_in(run.interval)}"
    found = run.spark.read.format("delta").load(path).where(there)
    worked_out = found.limit(0) if rows is None else rows.localCheckpoint()
    count = 0 if rows is None else worked_out.count()
    if count or not found.isEmpty():
        lake.replace_where(worked_out, path, there)
        index_rejected(run.settings, source.name, found)
    return count


def _staged(run: BatchRun, source: Source) -> DataFrame:
    staged = lake.read(run.spark, run.staging("silver", source.name))
    if staged is None:
        raise MillraceError(f"silver.{source.name}: nothing is staged for {run.interval}; clear the task 'stage' too")
    return staged


def _noted(run: BatchRun, source: Source) -> tuple[int, int]:
    """How many rows of the interval staging found acceptable, and how many it refused."""
    note = lake.note_of(_staged(run, source))
    if note is None:
        raise MillraceError(f"{run.staging('silver', source.name)} is of an earlier version; run 'stage' again")
    counts = json.loads(note)
    return counts["acceptable"], counts["refused"]


def _same_event(interval: Interval, source: Source) -> str:
    """Matches a candidate c with a row t that silver has; only files that can hold rows of the interval are read."""
    window = f"INTERVAL '{int(source.dedup_window.total_seconds())}' SECOND"
    return (
        f"{lake.appended_in(interval, 't')} AND t.`{source.event.id}` = c.`{source.event.id}`"
        f" AND t.append_time BETWEEN c.append_time - {window} AND c.append_time + {window}"
    )
