"""Rows as landing writes them: the bronze table's and the quarantine's."""

import time
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.columns import BRONZE_METADATA, INGESTION_TIMESTAMP
from millrace.contracts.source import Source
from spark_jobs.transforms.decode import NO_SCHEMAS, explain


def quarantine_columns() -> tuple[avro.Column, ...]:
    """Columns of the quarantine table, the same for every source."""
    own = [("source", "string"), ("stage", "string"), ("reason", "string"), ("key", "binary"), ("value", "binary")]
    return (
        *(avro.Column(name=name, spark_type=kind, nullable=True) for name, kind in [*own, ("headers", "string")]),
        *(c for c in BRONZE_METADATA if c.name not in {"unknown_fields", "ingestion_timestamp"}),
        INGESTION_TIMESTAMP,
    )


def bronze_rows(decoded: DataFrame, source: Source) -> DataFrame:
    """Good records, typed, with where they came from."""
    return decoded.filter("good").select(
        *[F.col("event")[name].alias(name) for name in source.fields],
        "unknown_fields",
        _now().alias("ingestion_timestamp"),
        *_position(),
    )


def bad_records(decoded: DataFrame) -> DataFrame:
    """Records that did not decode, as Kafka gave them."""
    return decoded.filter(~F.col("good")).drop("event", "unknown_fields", "good")


def quarantine_rows(bad: DataFrame, source: Source, schemas: Mapping[int, str] = NO_SCHEMAS) -> DataFrame:
    """Bad records with their original bytes, and why they are here."""
    return explain(bad, source, schemas).select(
        F.lit(source.name).alias("source"),
        F.lit("landing").alias("stage"),
        "reason",
        "key",
        "value",
        F.to_json("headers").alias("headers"),
        *_position(),
        _now().alias("ingestion_timestamp"),
    )


def _now() -> Column:
    """The moment of this batch, as text that is read for each record.

    As a number it would be a part of the generated code, which would then be compiled anew, and start cold, with each
    batch. `left(topic, 0)` is empty; it keeps Spark from making a number of the text when it plans.
    """
    micros = F.concat(F.lit(str(time.time_ns() // 1000)), F.left("topic", F.lit(0)))
    return F.timestamp_micros(micros.cast("bigint"))


def _position() -> list[Column]:
    """Append time is the broker's (LogAppendTime), so the hour that a record belongs to never changes."""
    return [
        F.col("topic").alias("kafka_topic"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("append_time"),
        F.date_trunc("hour", F.col("timestamp")).alias("append_hour"),
    ]
