"""Which rows of an interval repeat an earlier event.

Looked for by 64-bit hashes of the ids, one column of the dedup window; decided on the rows that share a hash, a few as
a rule. So what history costs is a look at its ids, whatever else lies there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.columns import APPEND_HOUR
from millrace.contracts.source import Source
from millrace.intervals import Interval
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import judged_rows, refined_rows
from spark_jobs.edges import lake
from spark_jobs.transforms.silver import ID_HASH, id_hash, set_aside, sort_out, sort_out_unique

MOST_BROADCAST = 500_000


@dataclass(frozen=True)
class Suspects:
    """Hashes of ids that may occur more than once; there are false alarms, but no omissions."""

    rows: int
    """Of the interval."""
    hashes: DataFrame
    count: int
    """Of the hashes."""
    hours: tuple[str, ...]
    """Those before the interval in which they occur."""


def find_suspects(run: BatchRun, source: Source) -> Suspects:
    """Compare the interval's ids with each other, and with those of the dedup window before it."""
    new = refined_rows(run, source, run.interval).select(id_hash(source))
    rows, again = _repeated_within(new)
    earlier = refined_rows(run, source, run.interval.before(source.dedup_window))
    before = earlier.select(id_hash(source), F.col(APPEND_HOUR.name).alias("hour"))
    before = before.join(at_hand(new, rows), ID_HASH, "left_semi").distinct()
    before = before.withColumn("hour", F.col("hour").cast("string"))
    found = again.withColumn("hour", F.lit(None)).unionByName(before).localCheckpoint()
    hashes = found.select(ID_HASH).distinct()
    count, hours = found.agg(F.count_distinct(ID_HASH), F.collect_set("hour")).collect()[0]
    return Suspects(rows, hashes, count, tuple(sorted(hours)))


def _repeated_within(hashes: DataFrame) -> tuple[int, DataFrame]:
    """How many there are, and those that occur more than once."""
    gathered = F.call_function("repeated_hashes", ID_HASH).alias("repeated")
    found = hashes.agg(F.count("*").alias("rows"), gathered).localCheckpoint()
    rows, too_many = found.select("rows", F.isnull("repeated")).collect()[0]
    if too_many:
        return rows, hashes.groupBy(ID_HASH).count().where("count > 1").select(ID_HASH)
    return rows, found.select(F.explode("repeated").alias(ID_HASH))


def sorted_rows(run: BatchRun, source: Source, suspects: Suspects) -> DataFrame:
    """The interval's bronze rows, each with what becomes of it."""
    hashes = at_hand(suspects.hashes, suspects.count)

    def picked(rows: DataFrame, how: str) -> DataFrame:
        return rows.withColumn(ID_HASH, id_hash(source)).join(hashes, ID_HASH, how).drop(ID_HASH)

    unique = judged_rows(run, source, run.interval, lambda rows: picked(rows, "left_anti"))
    doubtful = doubtful_rows(run, source, suspects.hours, lambda rows: picked(rows, "left_semi"))
    told_apart = doubtful.transform(sort_out, source).where(lake.appended_in(run.interval))
    return unique.transform(sort_out_unique).unionByName(told_apart).transform(set_aside, source)


def doubtful_rows(
    run: BatchRun, source: Source, hours: Iterable[str], pick: Callable[[DataFrame], DataFrame]
) -> DataFrame:
    """Of the interval's rows, and those of these hours of the dedup window before it, what `pick` leaves; judged.

    Rows are picked before they are judged: most need not be.
    """
    reach = Interval(run.interval.before(source.dedup_window).start, run.interval.end)
    own = (lake.timestamp(hour) for hour in run.interval.hours())
    among = ", ".join([*own, *(f"TIMESTAMP'{hour}'" for hour in hours)])
    within = f"{APPEND_HOUR.name} IN ({among})"
    return judged_rows(run, source, reach, lambda rows: pick(rows.where(within)))


def at_hand(rows: DataFrame, count: int) -> DataFrame:
    """`rows` for a join: sent to every task where they are few enough."""
    return F.broadcast(rows) if count <= MOST_BROADCAST else rows
