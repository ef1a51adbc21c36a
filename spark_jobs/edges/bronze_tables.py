"""Delta tables that landing appends to: each batch once, whatever happens in between."""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import count
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions as F

from millrace.errors import FencedError
from spark_jobs.edges.patience import Patience

_FOREIGN_WRITER = ("ConcurrentTransactionException", "DELTA_CONCURRENT_TRANSACTION")


def append_once(patience: Patience, query: str, rows: DataFrame, path: str, app_id: str, batch_id: int) -> bool:
    """Append `rows`, for as long as it takes; a batch that the table already holds under this id is skipped.

    True when the first attempt went through; False when it took more, so that Delta may have skipped the last one.
    Raises FencedError when another writer committed under the same id.
    """
    writer = (
        rows.coalesce(rows.sparkSession.sparkContext.defaultParallelism)
        .write.format("delta")
        .mode("append")
        .option("txnAppId", app_id)
        .option("txnVersion", batch_id)
    )
    attempts = count(1)
    jvm: Any = rows.sparkSession._jvm

    def append() -> int:
        attempt = next(attempts)
        jvm.millrace.KnownTransactions.save(writer._jwrite, path)
        return attempt

    try:
        return patience.call(query, f"the lake at {path}", append) == 1
    except (Py4JJavaError, PySparkException) as error:
        if any(mark in str(error) for mark in _FOREIGN_WRITER):
            raise FencedError(f"another driver wrote batch {batch_id} of {app_id}") from error
        raise


def last_batch(spark: SparkSession, paths: Sequence[str], app_id: str) -> int:
    """The last batch that any of the tables holds under this id; -1 for none."""
    jvm: Any = spark._jvm
    return max(int(jvm.millrace.KnownTransactions.last(spark._jsparkSession, path, app_id)) for path in paths)


def write_checkpoint(spark: SparkSession, path: str) -> None:
    """Write a checkpoint of the table's log where one is due: `append_once` leaves it to its caller."""
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.delta.LogUpkeep.checkpoint(spark._jsparkSession, path)


def shorten_log(spark: SparkSession, path: str, hours: int) -> None:
    """Forget the versions that are older than so many hours and the hour that goes on; the newest always stays."""
    jvm: Any = spark._jvm
    jvm.org.apache.spark.sql.delta.LogUpkeep.forget(spark._jsparkSession, path, hours)


def positions(spark: SparkSession, paths: Sequence[str], topic: str) -> DataFrame:
    """Partition and offset of every record of the topic that the tables hold."""
    tables = [spark.read.format("delta").load(path).where(F.col("kafka_topic") == topic) for path in paths]
    return reduce(DataFrame.unionByName, [table.select("kafka_partition", "kafka_offset") for table in tables])


def next_offsets(held: DataFrame) -> dict[int, int]:
    """Highest offset plus one, per partition of these positions."""
    found = held.groupBy("kafka_partition").agg(F.max("kafka_offset")).collect()
    return {row[0]: row[1] + 1 for row in found}


def at_or_after(position: Mapping[int, int]) -> Column:
    """Condition on the positions that lie behind `position` (next offset by partition), files being skipped by it."""
    partition, offset = F.col("kafka_partition"), F.col("kafka_offset")
    if not position:
        return F.lit(True)
    known = [(partition == p) & (offset >= at) for p, at in position.items()]
    return reduce(Column.__or__, [*known, ~partition.isin(*position)])
