"""Rows of the live table: typed for ClickHouse, without personal data, with what the window of ids needs; and back."""

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source
from spark_jobs.transforms.pii import pseudonymise

GOOD = "_good"
"""Whether the row decoded; no field has a name that begins like this."""
_NESTED = ("array", "map", "struct")
_WHOLE_TIMES = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
"""Without it, a time within a nested value loses what is less than a millisecond."""


def live_rows(decoded: DataFrame, source: Source, key: bytes) -> DataFrame:
    """One row per decoded record, bad ones included (`_good` says so); the sink filters, writes and adds its batch."""
    rows = refined_rows(decoded, source, key)
    return rows.select(*[_portable(rows, name) for name in rows.columns])


def refined_rows(decoded: DataFrame, source: Source, key: bytes) -> DataFrame:
    """The columns of `live_columns`, and `_good`, and `_id_hash` of the id as it was before any pseudonym."""
    fields = [F.col("event")[name].alias(name) for name in source.fields]
    flat = decoded.select(
        F.col("good").alias(GOOD),
        *fields,
        F.col("timestamp").alias("append_time"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        live_id_hash(F.col("event")[source.event.id]).alias("_id_hash"),
    )
    return pseudonymise(flat, source, key).withColumnRenamed(source.event.time, "event_time")


def live_id_hash(event_id: Column) -> Column:
    """What the live table knows an event's id by, whatever the id's type."""
    return F.xxhash64(event_id.cast("string"))


def _portable(df: DataFrame, name: str) -> Column:
    """Nested values travel as JSON text."""
    nested = df.schema[name].dataType.typeName() in _NESTED
    return F.to_json(F.col(name), _WHOLE_TIMES).alias(name) if nested else F.col(name)


def stored_type(column: avro.Column) -> str:
    """Spark's type for what the live table holds."""
    return "string" if column.spark_type.startswith(_NESTED) else column.spark_type


def restored(rows: DataFrame, columns: Iterable[avro.Column]) -> DataFrame:
    """Rows of a live table with the types of the contract: nested values from their JSON text."""
    return rows.select(*[_typed(column) for column in columns])


def _typed(column: avro.Column) -> Column:
    held = F.col(column.name)
    return held if stored_type(column) == column.spark_type else F.from_json(held, column.spark_type).alias(column.name)
