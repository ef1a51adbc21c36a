"""Rows of the live table: typed for ClickHouse, without personal data, with what the window of ids needs."""

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.source import Source
from spark_jobs.transforms.pii import pseudonymise

_NESTED = ("array", "map", "struct")


def live_rows(decoded: DataFrame, source: Source, key: bytes) -> DataFrame:
    """One row per decoded record, bad ones included (`reason` says so); the sink filters, writes and adds its batch.

    The hash is taken from the id before it is pseudonymised; the columns are those of `live_columns`.
    """
    fields = [F.col("event")[name].alias(name) for name in source.fields]
    flat = decoded.select(
        "reason",
        *fields,
        F.col("timestamp").alias("append_time"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.xxhash64(F.col("event")[source.event.id].cast("string")).alias("_id_hash"),
    )
    safe = pseudonymise(flat, source, key).withColumnRenamed(source.event.time, "event_time")
    return safe.select(*[_portable(safe, name) for name in safe.columns])


def _portable(df: DataFrame, name: str) -> Column:
    """Nested values travel as JSON text."""
    nested = df.schema[name].dataType.typeName() in _NESTED
    return F.to_json(F.col(name)).alias(name) if nested else F.col(name)
