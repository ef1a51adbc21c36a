"""Rows as landing writes them: the bronze table's and the quarantine's."""

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.source import Source

BRONZE_METADATA = (
    "unknown_fields string, ingestion_timestamp timestamp, kafka_topic string, kafka_partition int, "
    "kafka_offset bigint, append_time timestamp, append_hour timestamp"
)
QUARANTINE_SCHEMA = (
    "source string, stage string, reason string, key binary, value binary, headers string, kafka_topic string, "
    "kafka_partition int, kafka_offset bigint, append_time timestamp, append_hour timestamp, "
    "ingestion_timestamp timestamp"
)


def bronze_schema(source: Source) -> str:
    """DDL of the bronze table."""
    return f"{source.record.spark_ddl}, {BRONZE_METADATA}"


def bronze_rows(decoded: DataFrame, source: Source) -> DataFrame:
    """Good records, typed, with where they came from."""
    return decoded.filter(F.col("reason").isNull()).select(
        *[F.col("event")[name].alias(name) for name in source.fields],
        "unknown_fields",
        F.current_timestamp().alias("ingestion_timestamp"),
        *_position(),
    )


def quarantine_rows(decoded: DataFrame, source: Source) -> DataFrame:
    """Bad records with their original bytes, and why they are here."""
    return decoded.filter(F.col("reason").isNotNull()).select(
        F.lit(source.name).alias("source"),
        F.lit("landing").alias("stage"),
        "reason",
        "key",
        "value",
        F.to_json("headers").alias("headers"),
        *_position(),
        F.current_timestamp().alias("ingestion_timestamp"),
    )


def _position() -> list[Column]:
    """Append time is the broker's (LogAppendTime), so the hour that a record belongs to never changes."""
    return [
        F.col("topic").alias("kafka_topic"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("append_time"),
        F.date_trunc("hour", F.col("timestamp")).alias("append_hour"),
    ]
