"""Delta tables by path, through SQL and data frames only, so that Spark Connect and a plain session do the same."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from millrace.contracts.avro import Column
from millrace.intervals import Interval
from spark_jobs.transforms.gold_sql import among, literal

log = logging.getLogger(__name__)
T = TypeVar("T")

_ABSENT = frozenset(
    {"PATH_NOT_FOUND", "DELTA_TABLE_NOT_FOUND", "DELTA_MISSING_DELTA_TABLE", "DELTA_PATH_DOES_NOT_EXIST"}
)
_CONFLICT = re.compile(
    r"DELTA_CONCURRENT_|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED"
    r"|Concurrent\w+Exception|MetadataChangedException|ProtocolChangedException"
)
"""Another writer was faster."""


def table(path: str) -> str:
    """A Delta table in SQL."""
    return f"delta.`{path}`"


def read(spark: SparkSession, path: str) -> DataFrame | None:
    """The table, or None where nothing has been written yet."""
    try:
        df = spark.read.format("delta").load(path)
        _ = df.schema  # over Connect it is asked for here first
    except AnalysisException as error:
        if error.getCondition() in _ABSENT:
            return None
        raise
    return df


def appended_in(interval: Interval, alias: str = "") -> str:
    """SQL condition of the rows whose append time lies in the interval; Delta skips files by it."""
    column = f"{alias}.append_time" if alias else "append_time"
    return f"{column} >= {timestamp(interval.start)} AND {column} < {timestamp(interval.end)}"


def in_hours_of(interval: Interval) -> str:
    """SQL condition on the partition column `append_hour` that goes with `appended_in`."""
    first, last = interval.hours()[0], interval.hours()[-1]
    return f"append_hour >= {timestamp(first)} AND append_hour <= {timestamp(last)}"


def timestamp(moment: object) -> str:
    return f"TIMESTAMP'{moment:%Y-%m-%d %H:%M:%S.%f}'"


def ensure(
    spark: SparkSession, path: str, columns: Sequence[Column], *, partition: str | None, stats: Iterable[str] = ()
) -> None:
    """Create the table where it is missing, and add columns that it does not have yet.

    A crash may have left the folder of its log, and no commit: CREATE TABLE takes that for a table, a write does not.
    """
    there = read(spark, path)
    if there is None:
        writer = spark.createDataFrame([], _ddl(columns)).write.format("delta").mode("ignore")
        writer = writer.partitionBy(partition) if partition else writer
        writer = writer.option("delta.dataSkippingStatsColumns", ",".join(stats)) if stats else writer
        on_conflict(lambda: writer.save(path))
        there = spark.read.format("delta").load(path)
    known = set(there.columns)
    if added := [column for column in columns if column.name not in known]:
        log.info("%s: adding columns %s", path, ", ".join(column.name for column in added))
        spark.sql(f"ALTER TABLE {table(path)} ADD COLUMNS ({_ddl(added)})")


def version(spark: SparkSession, path: str) -> int:
    return int(spark.sql(f"DESCRIBE HISTORY {table(path)} LIMIT 1").collect()[0]["version"])


@dataclass(frozen=True)
class ListedFile:
    """A file of a table, as the checksum of the table's log has it."""

    name: str
    rows: int | None
    partition: dict[str, Any]


def listed_files(spark: SparkSession, path: str) -> list[ListedFile] | None:
    """All files of a table of few; None where it takes a query over its log to tell them (`jvm/ListedFiles.scala`)."""
    rows = [row.asDict() for row in spark.sql(f"SELECT * FROM listed_files({literal(path)})").collect()]
    files = [ListedFile(row.pop("file_name"), row.pop("file_rows"), row) for row in rows]
    return None if any(file.name is None for file in files) else files


def file_names(spark: SparkSession, path: str, column: str | None = None, values: Iterable[Any] = ()) -> list[str]:
    """The files that may hold rows with these values of a column; all files, where there is no such column."""
    wanted, listed = tuple(values), listed_files(spark, path)
    if listed is not None and all(column in (None, *file.partition) for file in listed):
        return [file.name for file in listed if column is None or file.partition[column] in wanted]
    rows = spark.read.format("delta").load(path)
    rows = rows.where(among(column, wanted)) if column in rows.columns else rows
    return [name.rpartition("/")[2] for name in rows.inputFiles()]


def fingerprint(spark: SparkSession, path: str, column: str | None = None, value: Any = None) -> str:
    """Tells the files of `file_names`: a commit that touches none of them leaves it as it is."""
    return hashlib.sha256("\n".join(sorted(file_names(spark, path, column, (value,)))).encode()).hexdigest()


def row_counts(spark: SparkSession, path: str, *partitions: str) -> Counter[tuple[Any, ...]]:
    """Rows of a table by values of its partition columns; partitions without rows are left out."""
    counts, listed = Counter[tuple[Any, ...]](), listed_files(spark, path)
    if listed is not None and all(file.rows is not None for file in listed):
        for file in listed:
            counts[tuple(file.partition[column] for column in partitions)] += file.rows or 0
    else:
        found = spark.read.format("delta").load(path).groupBy(*partitions).count().collect()
        counts.update({tuple(row[:-1]): row[-1] for row in found})
    return +counts


def replace_where(df: DataFrame, path: str, condition: str) -> None:
    """Swap the rows that meet `condition` for `df`, in one commit; `df` may hold no other rows."""
    on_conflict(lambda: df.write.format("delta").mode("overwrite").option("replaceWhere", condition).save(path))


def insert(spark: SparkSession, path: str, candidates: str, match: str) -> int:
    """Insert the rows of `candidates` (a query in brackets, alias c) that match no row of the table (alias t)."""
    return _merge(spark, path, candidates, match, "")


def upsert(spark: SparkSession, path: str, candidates: str, match: str, changed: str) -> int:
    """Insert new rows and update those for which `changed` holds; returns how many rows that made."""
    return _merge(spark, path, table(candidates), match, f"WHEN MATCHED AND ({changed}) THEN UPDATE SET *")


def on_conflict(work: Callable[[], T]) -> T:
    """Run `work`, again where another writer's commit came in between; each attempt reads the table afresh."""
    retrying = Retrying(
        retry=retry_if_exception(_is_conflict),
        wait=wait_random_exponential(multiplier=0.5, max=20),
        stop=stop_after_attempt(10),
        before_sleep=_log_conflict,
        reraise=True,
    )
    return retrying(work)


def _merge(spark: SparkSession, path: str, candidates: str, match: str, matched: str) -> int:
    sql = f"MERGE INTO {table(path)} t USING {candidates} c ON {match} {matched} WHEN NOT MATCHED THEN INSERT *"
    return on_conflict(lambda: int(spark.sql(sql).collect()[0]["num_affected_rows"]))


def _ddl(columns: Iterable[Column]) -> str:
    return ", ".join(f"`{c.name}` {c.spark_type}" + (f" COMMENT {literal(c.doc)}" if c.doc else "") for c in columns)


def _is_conflict(error: BaseException) -> bool:
    return bool(_CONFLICT.search(f"{type(error).__name__} {error}"[:2000]))


def _log_conflict(state: RetryCallState) -> None:
    log.info("another run committed to the same table; attempt %d follows", state.attempt_number + 1)
