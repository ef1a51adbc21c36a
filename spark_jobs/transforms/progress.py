"""What a stream tells about itself while it runs, gathered in the pass that it makes anyway."""

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.source import Source
from spark_jobs.transforms.live_rows import GOOD

OBSERVATION = "seen"


def observed(decoded: DataFrame, source: Source) -> DataFrame:
    """Record the newest append time and event time of each batch; maxima, because a batch may be read twice.

    It is also a wall: Spark pushes no filter below it, which would decode every record once more.
    """
    return _observed(
        decoded, "timestamp", F.when(F.col("good"), _happened(F.col("event")[source.event.time], "timestamp"))
    )


def observed_live(rows: DataFrame) -> DataFrame:
    """The same of rows of a live table; on their way there, not all of them are good."""
    happened = _happened(F.col("event_time"), "append_time")
    return _observed(rows, "append_time", F.when(F.col(GOOD), happened) if GOOD in rows.columns else happened)


def _happened(event_time: Column, append_time: str) -> Column:
    """A fast clock must not make a stream look fresh: an event counts as happened when Kafka took it, at the latest."""
    return F.least(event_time, append_time)


def _observed(rows: DataFrame, append_time: str, happened: Column) -> DataFrame:
    return rows.observe(
        OBSERVATION, F.max(append_time).alias("append_time_max"), F.max(happened).alias("event_time_max")
    )
