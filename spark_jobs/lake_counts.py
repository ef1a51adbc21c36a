"""What the lake holds of a source's interval, layer by layer and hour by hour, counted in one query."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.source import Source
from millrace.intervals import Interval
from millrace.names import Layer
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import acceptable, bronze_rows, judged_rows
from spark_jobs.edges import lake
from spark_jobs.silver import candidate_rows

_POSITION = ("kafka_partition", "kafka_offset")
_HOUR_SECONDS = 3600


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


def total(counts: Iterable[LakeCounts]) -> LakeCounts:
    """The counts of several intervals together."""
    found = list(counts)
    sums = {f.name: sum(getattr(one, f.name) for one in found) for f in fields(LakeCounts) if f.name != "reasons"}
    reasons: Counter[str] = sum((Counter(one.reasons) for one in found), Counter())
    return LakeCounts(**sums, reasons=dict(reasons))


def count_lake(run: BatchRun, source: Source) -> dict[Interval, LakeCounts]:
    """Count every table afresh, by hour; the cost grows with the interval and the dedup window, not with history.

    Staging folders live a day; for an older run, what would be staged is worked out again.
    """
    bronze, quarantine = bronze_rows(run, source, run.interval), rows_of(run, "quarantine", source)
    frames = {
        "bronze": bronze,
        "quarantined": quarantine,
        "distinct": _positions(bronze, quarantine),
        "acceptable": acceptable(judged_rows(run, source, run.interval)),
        "fresh": candidate_rows(run, source),
        "silver": rows_of(run, "silver", source),
    }
    counted = [_counted(name, frame) for name, frame in frames.items() if frame is not None]
    rejected = rows_of(run, "rejected", source)
    if rejected is not None:
        counted.append(_counted("rejected", rejected, "reason"))
    found: defaultdict[int, dict[tuple[str, str | None], int]] = defaultdict(dict)
    for row in reduce(DataFrame.unionByName, counted).collect():
        found[row["hour"]][row["what"], row["reason"]] = row["rows"]
    return {hour: _counts(list(frames), found[_number(hour)]) for hour in run.interval.by_hours()}


def _counts(layers: Iterable[str], rows: dict[tuple[str, str | None], int]) -> LakeCounts:
    reasons = {str(reason): count for (what, reason), count in rows.items() if what == "rejected"}
    return LakeCounts(**{name: rows.get((name, None), 0) for name in layers}, reasons=reasons)


def _number(hour: Interval) -> int:
    """The hour as a number: a timestamp would come back in the time zone of whoever asks."""
    return int(hour.start.timestamp()) // _HOUR_SECONDS


def _counted(what: str, df: DataFrame, reason: str | None = None) -> DataFrame:
    by = F.col(reason) if reason else F.lit(None).cast("string")
    hour = F.expr(f"unix_seconds(append_time) div {_HOUR_SECONDS}")
    grouped = df.groupBy(hour.alias("hour"), by.alias("reason")).agg(F.count("*").alias("rows"))
    return grouped.select(F.lit(what).alias("what"), "hour", "reason", "rows")


def _positions(bronze: DataFrame, quarantine: DataFrame | None) -> DataFrame:
    """Each once, in the first of the hours in which it is found."""
    columns = (*_POSITION, "append_time")
    found = bronze.select(*columns)
    found = found if quarantine is None else found.unionByName(quarantine.select(*columns))
    return found.groupBy(*_POSITION).agg(F.min("append_time").alias("append_time"))


def rows_of(run: BatchRun, layer: Layer, source: Source) -> DataFrame | None:
    """The rows that a table holds of the interval; None where there is no table yet."""
    table = lake.read(run.spark, run.path(layer, source.name))
    return (
        table.where(lake.in_hours_of(run.interval)).where(lake.appended_in(run.interval)) if table is not None else None
    )
