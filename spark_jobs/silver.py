"""Bronze to silver for one interval: stage the candidates aside, gate them, publish them insert-only.

A row is a duplicate when an earlier acceptable row of bronze holds the same event id and was appended at most
`dedup_window` before it; when its content is new for that id, it is rejected instead. So what an interval gives to
silver depends on bronze alone: not on the order in which hours are refined, nor on how often.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, reduce

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.columns import REASON, STAGE, bronze_columns, silver_columns
from millrace.contracts.source import Source
from millrace.errors import MillraceError
from spark_jobs.audit import audit
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, judged_rows
from spark_jobs.edges import lake
from spark_jobs.edges.quarantine_index import index_rejected
from spark_jobs.edges.staged import Candidates, insert_missing, note_of, write_aside
from spark_jobs.gates.result import GateResult
from spark_jobs.repeats import at_hand, doubtful_rows, find_suspects, sorted_rows
from spark_jobs.transforms.pii import pseudonymise
from spark_jobs.transforms.silver import (
    CONTRADICTED_ID,
    CONTRADICTING,
    FRESH,
    OUTCOME,
    REFUSED,
    REPEATED,
    contradictions,
    shape,
)

log = logging.getLogger(__name__)
PARTITION = "event_date"
_STATS = ("append_time", "kafka_partition", "kafka_offset", "event_time")
"""Silver's files are skipped by their smallest and largest values of these."""
_ROWS_OF_A_FILE = 1_000_000
"""At most so many in silver; a stage has no shuffle, so without a word it would make a file of each file of bronze."""


@dataclass(frozen=True)
class Staged:
    """What became of the interval's bronze rows: `bronze` = `candidates` + `duplicates` + `rejected`."""

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
    """Sort the interval's bronze rows out: the fresh ones refined to candidate rows, aside; the others counted."""
    source = run.catalog.source(name)
    key = run.settings.pseudonym_key.get_secret_value().encode()
    suspects = find_suspects(run, source)
    refined = sorted_rows(run, source, suspects).transform(pseudonymise, source, key)
    note = json.dumps({"hours": suspects.hours})
    tasks = max(int(run.spark.conf.get("spark.sql.shuffle.partitions") or 1), suspects.rows // _ROWS_OF_A_FILE)
    silver = refined.transform(shape, source, datetime.now(UTC), OUTCOME, CONTRADICTED_ID).coalesce(tasks)
    write_aside(silver, _aside(run, name), OUTCOME, PARTITION, note=note, stats=_STATS)
    counts, _ = _outcomes(run, name)
    rejected = counts[REFUSED] + counts[CONTRADICTING]
    staged = Staged(sum(counts.values()), counts[FRESH], counts[REPEATED], rejected)
    log.info("silver.%s, %s: %s", name, run.interval, staged)
    return staged


def gate_silver(run: BatchRun, name: str) -> GateResult:
    """Judge the candidate rows by the source's silver suite."""
    return audit(run, "silver", name, _candidates(run, name).read(run.spark))


def publish_silver(run: BatchRun, name: str) -> Published:
    """Insert the candidates that silver lacks, write down the rejected rows, and index them in ClickHouse."""
    source = run.catalog.source(name)
    candidates, counts, days = _candidates(run, name), *_outcomes(run, name)
    ensure_silver(run, source)
    with run.exclusive(run.settings, f"silver.{name}"):
        inserted = counts[FRESH] and insert_missing(
            run.spark,
            run.path("silver", name),
            candidates,
            counts[FRESH],
            _same_event(source),
            partial(lake.appended_in, run.interval),
        )
    rejected = _publish_rejected(run, source, _rejected_rows(run, source, counts))
    published = Published(inserted, rejected, days)
    log.info("silver.%s, %s: %s", name, run.interval, published)
    return published


def candidate_rows(run: BatchRun, source: Source) -> DataFrame:
    """The interval's fresh rows: those that were staged, or those that would be."""
    if _found_aside(run, source.name) is not None:
        return _candidates(run, source.name).read(run.spark)
    return sorted_rows(run, source, find_suspects(run, source)).where(F.col(OUTCOME) == FRESH)


def ensure_silver(run: BatchRun, source: Source) -> None:
    """Create or widen the tables that this module writes."""
    silver, rejected = run.path("silver", source.name), run.path("rejected", source.name)
    lake.ensure(run.spark, silver, silver_columns(source), partition=PARTITION, stats=_STATS)
    lake.ensure(run.spark, rejected, (*bronze_columns(source), REASON, STAGE), partition="append_hour")


def contradicting_rows(run: BatchRun, source: Source, count: int) -> DataFrame:
    """The interval's rows (so many) that have the id of an earlier event and other content.

    Whole rows are read only of hours that hold a repeated id.
    """
    staged = _staged(run, source.name)
    ids = staged.where(F.col(OUTCOME) == CONTRADICTING).select(F.col(CONTRADICTED_ID).alias(source.event.id))
    hours = json.loads(note_of(staged) or "{}").get("hours", ())
    concerned = acceptable(
        doubtful_rows(run, source, hours, lambda rows: rows.join(at_hand(ids, count), source.event.id, "left_semi"))
    )
    return concerned.transform(contradictions, source).where(lake.appended_in(run.interval))


def _rejected_rows(run: BatchRun, source: Source, counts: Mapping[str, int]) -> DataFrame | None:
    """The rows that were refused, and those that contradict an earlier one; None where there are none."""
    rows = []
    if counts[REFUSED]:
        rows.append(judged_rows(run, source, run.interval).where(F.col(REASON.name).isNotNull()))
    if counts[CONTRADICTING]:
        rows.append(contradicting_rows(run, source, counts[CONTRADICTING]))
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


def _aside(run: BatchRun, name: str) -> str:
    return run.staging("silver", name)


def _found_aside(run: BatchRun, name: str) -> DataFrame | None:
    """All rows of the interval, with what became of them; None where they are not staged, or by an earlier version."""
    staged = lake.read(run.spark, _aside(run, name))
    return staged if staged is not None and CONTRADICTED_ID in staged.columns else None


def _staged(run: BatchRun, name: str) -> DataFrame:
    staged = _found_aside(run, name)
    if staged is None:
        raise MillraceError(f"silver.{name}: nothing is staged for {run.interval}; clear the task 'stage' too")
    return staged


def _candidates(run: BatchRun, name: str) -> Candidates:
    columns = tuple(column.name for column in silver_columns(run.catalog.source(name)))
    return Candidates(_aside(run, name), f"{OUTCOME} = '{FRESH}'", columns)


def _outcomes(run: BatchRun, name: str) -> tuple[Counter[str], tuple[str, ...]]:
    """How many rows of the interval became what, and the days of the fresh ones."""
    _staged(run, name)  # told apart from "no rows"
    found = lake.row_counts(run.spark, _aside(run, name), OUTCOME, PARTITION)
    counts = Counter[str]()
    for (outcome, _), rows in found.items():
        counts[outcome] += rows
    return counts, tuple(sorted(str(day) for outcome, day in found if outcome == FRESH))


def _same_event(source: Source) -> str:
    """Matches a candidate c with a row t that silver has."""
    window = f"INTERVAL '{int(source.dedup_window.total_seconds())}' SECOND"
    return (
        f"t.`{source.event.id}` = c.`{source.event.id}`"
        f" AND t.append_time BETWEEN c.append_time - {window} AND c.append_time + {window}"
    )
