"""The ledger of one interval: counts every table afresh and says whether anything is missing."""

import logging

from pyspark.sql import DataFrame, functions as F

from millrace.completeness import acked
from millrace.contracts.source import Source
from millrace.control.database import connect
from millrace.control.ledger import Entry, show_entry, write_entry
from millrace.names import Layer
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, bronze_rows, judged_rows
from spark_jobs.edges import lake
from spark_jobs.silver import fresh_rows
from spark_jobs.sync import clickhouse
from spark_jobs.transforms.silver import contradiction

log = logging.getLogger(__name__)


def write_ledger(run: BatchRun, name: str) -> Entry:
    """Count, and write the line to PostgreSQL and ClickHouse; a line that does not balance is an error in the log."""
    entry = count_entry(run, run.catalog.source(name))
    with connect(run.settings) as conn:
        entry = write_entry(conn, entry)
    with clickhouse(run.settings) as client:
        show_entry(client, entry)
    log.log(logging.INFO if entry.balances else logging.ERROR, "%s", sentence(entry))
    return entry


def count_entry(run: BatchRun, source: Source) -> Entry:
    """What each table holds of the interval. Duplicates are acceptable, not staged, and contradict nothing.

    Staging folders live a day; for an older run, what would be staged is worked out again.
    """
    staged = lake.read(run.spark, run.staging("silver", source.name))
    fresh = fresh_rows(run, source) if staged is None else staged
    reasons = _rejected(run, source)
    repeats = acceptable(judged_rows(run, source, run.interval)).count() - fresh.count()
    return Entry(
        source=source.name,
        interval_start=run.interval.start,
        interval_end=run.interval.end,
        run_id=run.run_id,
        kafka_acked=acked(run.settings, source, run.interval),
        bronze=bronze_rows(run, source, run.interval).count(),
        quarantined=_count(run, "quarantine", source),
        silver=_count(run, "silver", source),
        duplicates=repeats - reasons.get(contradiction(source), 0),
        rejected=sum(reasons.values()),
        reasons=reasons,
    )


def sentence(entry: Entry) -> str:
    """One line for a log."""
    verdict = "balances" if entry.balances else f"DOES NOT BALANCE: {entry.missing} missing, {entry.lost} lost"
    return (
        f"ledger of {entry.source}, {entry.interval_start} to {entry.interval_end}: {verdict}; "
        f"acked {entry.kafka_acked} = bronze {entry.bronze} + quarantined {entry.quarantined}; "
        f"bronze = silver {entry.silver} + duplicates {entry.duplicates} + rejected {entry.rejected}"
    )


def _rejected(run: BatchRun, source: Source) -> dict[str, int]:
    rows = _rows(run, "rejected", source)
    counts = rows.groupBy("reason").agg(F.count("*")).collect() if rows else []
    return {row[0]: row[1] for row in counts}


def _count(run: BatchRun, layer: Layer, source: Source) -> int:
    rows = _rows(run, layer, source)
    return rows.count() if rows else 0


def _rows(run: BatchRun, layer: Layer, source: Source) -> DataFrame | None:
    table = lake.read(run.spark, run.path(layer, source.name))
    return table.where(lake.in_hours_of(run.interval)).where(lake.appended_in(run.interval)) if table else None
