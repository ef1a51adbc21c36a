"""Delta tables that landing appends to: each batch once, whatever happens in between."""

import logging
from collections.abc import Sequence
from functools import reduce

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, functions as F
from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_attempt, wait_exponential

from millrace.errors import FencedError

log = logging.getLogger(__name__)
_ATTEMPTS = 5
_FOREIGN_WRITER = ("ConcurrentTransactionException", "DELTA_CONCURRENT_TRANSACTION")


def append_once(rows: DataFrame, path: str, app_id: str, batch_id: int) -> bool:
    """Append `rows`; Delta skips a batch that it already holds under this id.

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
    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential(1, max=15),
        stop=stop_after_attempt(_ATTEMPTS),
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )
    try:
        retrying(writer.save, path)
    except (Py4JJavaError, PySparkException) as error:
        if any(mark in str(error) for mark in _FOREIGN_WRITER):
            raise FencedError(f"another driver wrote batch {batch_id} of {app_id}") from error
        raise
    return bool(retrying.statistics["attempt_number"] == 1)


def next_offsets(spark: SparkSession, paths: Sequence[str], topic: str) -> dict[int, int]:
    """Highest offset plus one per partition, over all the tables."""
    tables = [spark.read.format("delta").load(path) for path in paths]
    positions = [t.where(F.col("kafka_topic") == topic).select("kafka_partition", "kafka_offset") for t in tables]
    found = reduce(DataFrame.unionByName, positions).groupBy("kafka_partition").agg(F.max("kafka_offset")).collect()
    return {row[0]: row[1] + 1 for row in found}


def _may_pass(error: BaseException) -> bool:
    """Storage that does not answer may answer later; a wrong schema, or another writer, stays wrong."""
    text = str(error)
    return isinstance(error, (Py4JJavaError, PySparkException)) and not any(
        mark in text for mark in (*_FOREIGN_WRITER, "AnalysisException", "DELTA_FAILED_TO_MERGE_FIELDS")
    )
