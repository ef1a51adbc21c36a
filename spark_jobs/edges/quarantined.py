"""The records of quarantine as they came, from the lake: those that a selection asks for."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, SparkSession, functions as F

from millrace import names
from millrace.contracts.columns import bronze_columns
from millrace.contracts.source import Source
from millrace.control.quarantine import Position
from millrace.quarantine.request import Selection, Stage
from millrace.registry import register
from millrace.settings import Settings
from spark_jobs.edges import lake
from spark_jobs.transforms.encode import encoded, record_key
from spark_jobs.transforms.replay import RECORD, group_id
from spark_jobs.transforms.silver import conform

HEADERS = "array<struct<key: string, value: binary>>"
POSITION = ["kafka_topic", "kafka_partition", "kafka_offset"]
ORDER = ["append_time", "kafka_partition", "kafka_offset"]
_LAYERS: dict[Stage, names.Layer] = {"landing": "quarantine", "silver": "rejected"}


def table_of(settings: Settings, source: str, stage: Stage) -> str:
    """The Delta table that holds what a stage refused."""
    return names.table_path(settings.lake, _LAYERS[stage], source)


def selected(spark: SparkSession, settings: Settings, selection: Selection, version: int) -> DataFrame:
    """Rows of that table, as of one of its versions, that meet the selection's conditions, decisions aside."""
    rows = (
        spark.read.format("delta")
        .option("versionAsOf", version)
        .load(table_of(settings, selection.source, selection.stage))
    )
    if selection.since is not None:
        hour = F.date_trunc("hour", _moment(selection.since))
        rows = rows.where((F.col("append_time") >= _moment(selection.since)) & (F.col("append_hour") >= hour))
    if selection.until is not None:
        rows = rows.where(F.col("append_time") < _moment(selection.until))
    if selection.reason is not None:
        rows = rows.where(F.col("reason").contains(selection.reason))
    if selection.group is not None:
        ids = group_id(F.lit(selection.source), F.lit(selection.stage), F.col("reason"))
        rows = rows.where(ids == selection.group)
    return rows


def without(rows: DataFrame, positions: Sequence[Position]) -> DataFrame:
    """The rows that lie at none of these positions."""
    if not positions:
        return rows
    topics, partitions, offsets = zip(*positions, strict=True)
    columns = [pa.array(topics), pa.array(partitions, pa.int32()), pa.array(offsets, pa.int64())]
    return rows.join(rows.sparkSession.createDataFrame(pa.table(columns, names=POSITION)), POSITION, "left_anti")


def oldest(rows: DataFrame, limit: int | None) -> DataFrame:
    return rows if limit is None else rows.orderBy(*ORDER).limit(limit)


def originals(rows: DataFrame, settings: Settings, source: Source, stage: Stage) -> DataFrame:
    """The rows as records: with key, value and headers, and the reason why they are here.

    Of rows that silver refused nobody kept the bytes: they are made again from bronze, before any refinement.
    """
    if stage == "landing":
        records = rows.withColumn("headers", F.from_json("headers", HEADERS))
        return records.select(*RECORD, "reason")
    refused = rows.select(*POSITION, "append_time", "append_hour", "reason")
    return _from_bronze(refused, settings, source).select(*RECORD, "reason")


def _from_bronze(refused: DataFrame, settings: Settings, source: Source) -> DataFrame:
    spark = refused.sparkSession
    first, last = refused.agg(F.min("append_hour"), F.max("append_hour")).collect()[0]
    bronze = spark.read.format("delta").load(names.table_path(settings.lake, "bronze", source.name))
    hours = F.col("append_hour").between(F.lit(first), F.lit(last))
    rows = conform(bronze.where(hours), bronze_columns(source))
    schema_id = register(settings, source) if source.format == "avro" else None
    # Encoded into a struct: a field of the source may itself be called key, value or headers.
    record = F.struct(record_key(source).alias("key"), encoded(source, schema_id).alias("value"))
    encoded_rows = rows.select(record.alias("_record"), *POSITION)
    headers = F.array().cast(HEADERS)
    return refused.join(encoded_rows, POSITION).select("*", "_record.*", headers.alias("headers"))


def as_line(record: Row) -> dict[str, object]:
    """A record for a line of JSON: its content as text where it is text, else as base64 under another name."""
    appended = record["append_time"].astimezone(UTC).isoformat()
    position = {name: record[name] for name in POSITION} | {"append_time": appended}
    headers = [{"key": h["key"], **_content("value", h["value"])} for h in record["headers"] or []]
    content = {**_content("key", record["key"]), **_content("value", record["value"]), "headers": headers}
    return {**position, "reason": record["reason"], **content}


def _content(name: str, content: bytes | None) -> dict[str, str | None]:
    try:
        return {name: None if content is None else bytes(content).decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(bytes(content or b"")).decode()}


def _moment(moment: datetime) -> Column:
    return F.expr(lake.timestamp(moment.astimezone(UTC)))
