"""A source's live table as a stream for Spark: decoded, typed, pseudonymised and free of duplicates already."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.streaming.datasource import ReadLimit, ReadMaxRows
from pyspark.sql.types import StructType

from millrace import names
from millrace.clickhouse.client import SOON, connect, is_transient
from millrace.contracts.avro import Column
from millrace.contracts.source import Source
from millrace.errors import TransientError
from millrace.settings import read_settings
from spark_jobs.live_offsets import (
    Found,
    Position,
    advanced,
    dealt,
    ends_within,
    look_sql,
    merged,
    parsed,
    rows_sql,
    shortened,
    spans,
    times_sql,
    written,
)
from spark_jobs.transforms.live_rows import stored_type

FORMAT = "millrace_live"


def read_live(spark: SparkSession, source: Source, columns: Iterable[Column], limit: int, slices: int) -> DataFrame:
    """New rows of the live table, nested values as JSON text; about `limit` Kafka offsets in a batch.

    At most `slices` tasks read them, each with a Python process of a hundred megabytes.
    """
    schema = ", ".join(f"`{column.name}` {stored_type(column)}" for column in columns)
    options = {"source": source.name, "limit": str(limit), "slices": str(slices)}
    return spark.readStream.format(FORMAT).schema(schema).options(**options).load()


class LiveStream(DataSource):
    """The format, as Spark's Python processes see it; its options and its reader hold no address and no secret."""

    @classmethod
    def name(cls) -> str:
        return FORMAT

    def streamReader(self, schema: StructType) -> "LiveStreamReader":  # noqa: N802
        return LiveStreamReader(self.options["source"], schema, int(self.options["limit"]), int(self.options["slices"]))


class LiveStreamReader(DataSourceStreamReader):
    """Follows the next offset of each Kafka partition.

    It relies on two promises. Live makes the rows of a partition visible in the order of their offsets, each once. And
    the topics use LogAppendTime (`millrace.topics`), so that within a partition append times rise with the offsets,
    but for the difference of two brokers' clocks (`SLACK`): that is what keeps a look at the table as small as what
    is new. Rows that the live table's retention has deleted are not counted as missing.
    """

    def __init__(self, source: str, schema: StructType, limit: int, slices: int) -> None:
        self._source, self._limit, self._slices = source, limit, slices
        self._table = f"{names.LIVE}.`{source}`"
        self._schema = to_arrow_schema(schema, timezone="UTC")
        self._newest: Position = {}

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802
        return written(self._source, {})

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadMaxRows(self._limit)

    def latestOffset(self, start: dict[str, Any], limit: ReadLimit) -> dict[str, Any]:  # noqa: N802
        before = parsed(self._source, start)
        found = self._look(before)
        self._newest = advanced(before, found)
        ends = ends_within(before, found, limit.max_rows) if isinstance(limit, ReadMaxRows) else {}
        return written(self._source, self._shortened(before, ends) if ends else self._newest)

    def reportLatestOffset(self) -> dict[str, Any] | None:  # noqa: N802
        return written(self._source, self._newest) if self._newest else None

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> Sequence[InputPartition]:
        """A few groups of Kafka partitions: each costs the server one look at the same stretch of time."""
        between = spans(parsed(self._source, start), parsed(self._source, end))
        return [InputPartition(group) for group in dealt(between, self._slices)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The same rows each time, in no order."""
        sql = rows_sql(self._table, self._schema.names, partition.value)
        return (conformed(batch, self._schema) for batch in _streamed(sql))

    def _look(self, before: Position) -> dict[int, Found]:
        return merged(_ask(look_sql(self._table, before)))

    def _shortened(self, before: Position, ends: dict[int, int]) -> Position:
        times = {row[0]: row[1] for row in _ask(times_sql(self._table, before, ends))}
        return shortened(before, self._newest, ends, times)


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the types that Spark was told; ClickHouse has one type for text and bytes."""
    return pa.RecordBatch.from_arrays([batch.column(field.name).cast(field.type) for field in schema], schema=schema)


def _streamed(sql: str) -> Iterator[pa.RecordBatch]:
    with _passing(), _client().query_arrow_stream(sql) as batches:
        yield from batches


def _ask(sql: str) -> Sequence[Sequence[int]]:
    with _passing():
        rows: Sequence[Sequence[int]] = _client().query(sql).result_rows
        return rows


@cache
def _client() -> Client:
    """One for each of Spark's Python processes, which learn from their environment where ClickHouse is."""
    return connect(read_settings(), answers_within=SOON)


@contextmanager
def _passing() -> Iterator[None]:
    """Errors that pass, by the one name that the supervisor knows: Spark hands on nothing but their text."""
    try:
        yield
    except Exception as error:
        torn = isinstance(error, pa.ArrowInvalid)
        if isinstance(error, TransientError) or not (torn or is_transient(error)):
            raise
        raise TransientError(f"ClickHouse did not give the rows: {type(error).__name__}: {error}") from error
