"""The columns of a source's tables, layer by layer: one place that says what bronze, live and silver look like."""

from millrace.contracts.avro import Column
from millrace.contracts.source import Source


def _column(name: str, spark_type: str, doc: str, nullable: bool = False) -> Column:
    return Column(name=name, spark_type=spark_type, nullable=nullable, doc=doc)


UNKNOWN_FIELDS = _column("unknown_fields", "string", "JSON object of fields that the schema does not have.", True)
INGESTION_TIMESTAMP = _column("ingestion_timestamp", "timestamp", "When landing read the record.")
KAFKA_TOPIC = _column("kafka_topic", "string", "Topic of the record.")
KAFKA_PARTITION = _column("kafka_partition", "int", "Partition of the record.")
KAFKA_OFFSET = _column("kafka_offset", "bigint", "Offset of the record in its partition.")
APPEND_TIME = _column("append_time", "timestamp", "When Kafka appended the record.")
APPEND_HOUR = _column("append_hour", "timestamp", "Hour of append_time; partitions bronze.")
EVENT_TIME = _column("event_time", "timestamp", "When the event happened.")
EVENT_DATE = _column("event_date", "date", "Day of event_time (UTC); partitions silver.")
PROCESSED_TIMESTAMP = _column("processed_timestamp", "timestamp", "When the row was refined to silver.")
REASON = _column("reason", "string", "Why the record was refused.")
STAGE = _column("stage", "string", "Which stage refused it.")

BRONZE_METADATA = (
    UNKNOWN_FIELDS, INGESTION_TIMESTAMP, KAFKA_TOPIC, KAFKA_PARTITION, KAFKA_OFFSET, APPEND_TIME, APPEND_HOUR,
)  # fmt: skip
LIVE_METADATA = (APPEND_TIME, KAFKA_PARTITION, KAFKA_OFFSET)
SILVER_METADATA = (
    EVENT_DATE, APPEND_TIME, APPEND_HOUR, KAFKA_PARTITION, KAFKA_OFFSET,
    INGESTION_TIMESTAMP, PROCESSED_TIMESTAMP, UNKNOWN_FIELDS,
)  # fmt: skip
RESERVED = frozenset(
    column.name for column in (*BRONZE_METADATA, *SILVER_METADATA, EVENT_TIME, REASON, STAGE)
)  # fmt: skip
"""Names that a schema may not use for its own fields; `event_time` is free for the field that event.time names."""


def bronze_columns(source: Source) -> tuple[Column, ...]:
    """The source's fields as they came, and where and when they came."""
    return (*source.record.fields, *BRONZE_METADATA)


def live_columns(source: Source) -> tuple[Column, ...]:
    """What real-time and stream models may read (a stream model finds nested values where live holds their JSON text).

    Columns that begin with '_' are the engine's and are not listed.
    """
    return (*_refined(source), *LIVE_METADATA)


def silver_columns(source: Source) -> tuple[Column, ...]:
    """What a gold model may read."""
    return (*_refined(source), *SILVER_METADATA)


def _refined(source: Source) -> tuple[Column, ...]:
    """The fields after the PII rules, with the event's time under one name for all sources."""
    kept = (field for field in source.record.fields if source.pii.get(field.name) != "drop")
    return tuple(_refined_field(source, field) for field in kept)


def _refined_field(source: Source, field: Column) -> Column:
    if field.name == source.event.time:
        return EVENT_TIME.model_copy(update={"nullable": field.nullable, "doc": field.doc or EVENT_TIME.doc})
    if source.pii.get(field.name) == "pseudonym":
        return field.model_copy(update={"spark_type": "string", "symbols": ()})
    return field
