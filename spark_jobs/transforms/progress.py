"""What a stream tells about itself while it runs, gathered in the pass that it makes anyway."""

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.source import Source

OBSERVATION = "seen"


def observed(decoded: DataFrame, source: Source) -> DataFrame:
    """Record the newest append time and event time of each batch; maxima, because a batch may be read twice.

    A fast clock must not make the stream look fresh: an event counts as happened when Kafka took it, at the latest.
    It is also a wall: Spark pushes no filter below it, which would decode every record once more.
    """
    return decoded.observe(
        OBSERVATION,
        F.max("timestamp").alias("append_time_max"),
        F.max(F.when(F.col("good"), F.least(F.col("event")[source.event.time], "timestamp"))).alias("event_time_max"),
    )
