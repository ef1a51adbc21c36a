"""What the lake holds of a source's interval, layer by layer, counted in one query."""

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.source import Source
from millrace.names import Layer
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, bronze_rows, judged_rows
from spark_jobs.edges import lake
from spark_jobs.silver import candidate_rows

_POSITION = ("kafka_partition", "kafka_offset")


@dataclass(frozen=True)
class LakeCounts:
    """Rows of one interval."""

    bronze: int
    quarantined: int
    distinct: int
    """Different records, by partition and offset, in bronze and quarantine together."""
    acceptable: int
    """Rows of bronze that no rule refuses."""
    fresh: int
    """Those that repeat no earlier one."""
    silver: int
    reasons: dict[str, int]
    """Rejected rows by reason."""


def count_lake(run: BatchRun, source: Source) -> LakeCounts:
    """Count every table afresh; the cost grows with the interval and the dedup window, not with history.

    Staging folders live a day; for an older run, what would be staged is worked out again.
    """
    bronze, quarantine = bronze_rows(run, source, run.interval), _rows(run, "quarantine", source)
    frames = {
        "bronze": bronze,
        "quarantined": quarantine,
        "distinct": _positions(bronze, quarantine),
        "acceptable": acceptable(judged_rows(run, source, run.interval)),
        "fresh": candidate_rows(run, source),
        "silver": _rows(run, "silver", source),
    }
    counted = [_counted(name, frame) for name, frame in frames.items() if frame is not None]
    rejected = _rows(run, "rejected", source)
    if rejected is not None:
        counted.append(_counted("rejected", rejected, "reason"))
    rows = reduce(DataFrame.unionByName, counted).collect()
    counts = {row["what"]: row["rows"] for row in rows if row["what"] != "rejected"}
    reasons = {row["reason"]: row["rows"] for row in rows if row["what"] == "rejected"}
    return LakeCounts(**{name: counts.get(name, 0) for name in frames}, reasons=reasons)


def _counted(what: str, df: DataFrame, reason: str | None = None) -> DataFrame:
    by = F.col(reason) if reason else F.lit(None).cast("string")
    grouped = df.groupBy(by.alias("reason")).agg(F.count("*").alias("rows"))
    return grouped.select(F.lit(what).alias("what"), "reason", "rows")


def _positions(bronze: DataFrame, quarantine: DataFrame | None) -> DataFrame:
    positions = bronze.select(*_POSITION)
    return (positions if quarantine is None else positions.unionByName(quarantine.select(*_POSITION))).distinct()


def _rows(run: BatchRun, layer: Layer, source: Source) -> DataFrame | None:
    table = lake.read(run.spark, run.path(layer, source.name))
    return (
        table.where(lake.in_hours_of(run.interval)).where(lake.appended_in(run.interval)) if table is not None else None
    )
