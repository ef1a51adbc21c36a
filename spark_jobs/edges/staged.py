"""Candidate rows, written aside to be judged; then their files are taken into the table, as they were judged."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyspark.errors import PySparkException, UnsupportedOperationException
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.edges import lake
from spark_jobs.transforms.gold_sql import literal

log = logging.getLogger(__name__)
_NOTE = "millrace.note"
_STATS = "delta.dataSkippingStatsColumns"
_OCCUPIED = "holds such rows already"


@dataclass(frozen=True)
class Candidates:
    """Rows of a staging folder: of the partitions for which `rows` holds, those columns."""

    folder: str
    rows: str = "true"
    columns: tuple[str, ...] = ()
    """All of them when empty."""

    @property
    def sql(self) -> str:
        """As a query in brackets."""
        columns = ", ".join(f"`{column}`" for column in self.columns) or "*"
        return f"(SELECT {columns} FROM {lake.table(self.folder)} WHERE {self.rows})"

    def read(self, spark: SparkSession) -> DataFrame:
        return spark.sql(f"SELECT * FROM {self.sql}")


def write_aside(df: DataFrame, path: str, *partitions: str, note: str = "", stats: Iterable[str] = ()) -> None:
    """Write candidate rows to a staging folder, over whatever an earlier attempt left there; `note` goes with them.

    The note lies in the schema: read without a query, and swapped in one commit with the rows. `stats` are the columns
    of which the table that takes the files wants the smallest and the largest value of each; of others they would be a
    third of what writing costs.
    """
    if lake.read(df.sparkSession, path) is not None:
        # Which columns have statistics is said by the table as it was made, and checked against the columns of now.
        df.sparkSession.sql(f"ALTER TABLE {lake.table(path)} UNSET TBLPROPERTIES IF EXISTS ('{_STATS}')")
    noted = df.withMetadata(df.columns[-1], {_NOTE: note}) if note else df
    wanted = ",".join(stats)
    about = {_STATS: wanted} if wanted else {"delta.dataSkippingNumIndexedCols": "0"}
    writer = noted.write.format("delta").mode("overwrite").option("overwriteSchema", "true").options(**about)
    (writer.partitionBy(*partitions) if partitions else writer).save(path)


def note_of(staged: DataFrame) -> str | None:
    """The note that was written with candidate rows."""
    return next((str(field.metadata[_NOTE]) for field in staged.schema if _NOTE in field.metadata), None)


def insert_missing(
    spark: SparkSession, path: str, candidates: Candidates, count: int, match: str, within: Callable[[str], str]
) -> int:
    """Insert the candidates (so many; alias c) that match no row of the table (alias t).

    `within` gives a condition, for an alias, that all candidates meet. Where no row of the table does, all are missing,
    and their files are taken. Nobody else should insert there meanwhile: callers see to it, and the commit makes sure.
    Returns how many.
    """
    if lake.listed_files(spark, path) == [] or spark.read.format("delta").load(path).where(within("")).isEmpty():
        try:
            _take(spark, path, candidates, within(""), replace=False)
            return count
        except PySparkException as error:
            if _OCCUPIED not in str(error):
                raise
    return lake.insert(spark, path, candidates.sql, f"{within('t')} AND {match}")


def replace_partitions(spark: SparkSession, path: str, candidates: Candidates) -> None:
    """Swap the table's partitions that `candidates.rows` names for the candidates, in one commit."""
    _take(spark, path, candidates, candidates.rows, replace=True)


def _take(spark: SparkSession, path: str, candidates: Candidates, condition: str, *, replace: bool) -> None:
    """Their files, as they are; their rows, where the table would have written them in another way."""
    given = ", ".join(map(literal, (candidates.folder, path, candidates.rows, condition, replace)))
    call = f"CALL millrace.publish({given})"
    try:
        lake.on_conflict(lambda: spark.sql(call))
    except UnsupportedOperationException as misfit:
        log.warning("%s: the rows are written again: %s", path, str(misfit).splitlines()[0])
        lake.replace_where(candidates.read(spark), path, condition)
