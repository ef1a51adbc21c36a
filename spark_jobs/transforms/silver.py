"""Bronze rows to silver rows: judge each row, keep the first of each event, shape it by the contract. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, Window, functions as F

from millrace.contracts import avro
from millrace.contracts.columns import silver_columns
from millrace.contracts.shapes import Shape, shapes
from millrace.contracts.source import Source

EARLIEST = "2000-01-01 00:00:00"
"""Older event times come from clocks that were never set."""
AHEAD = timedelta(days=1)
"""An event may be dated at most this far after Kafka took it."""
_ORDER = ("append_time", "kafka_partition", "kafka_offset")
ID_HASH = "_id_hash"
OUTCOME, CONTRADICTED_ID = "_outcome", "_contradicted_id"
FRESH, REPEATED, CONTRADICTING, REFUSED = "fresh", "repeated", "contradicting", "refused"


def conform(df: DataFrame, columns: Sequence[avro.Column]) -> DataFrame:
    """Exactly `columns`: a field that the table does not have yet reads as null."""
    return df.select(*(_column(df, column).alias(column.name) for column in columns))


def judge(df: DataFrame, source: Source, rules: Mapping[str, str]) -> DataFrame:
    """Add `reason`: the first rule that a row breaks, or null. `rules`: reason and SQL condition of a bad row."""
    checks = {**_event_rules(source), **{reason: F.expr(condition) for reason, condition in rules.items()}}
    return df.withColumn("reason", F.coalesce(*(F.when(bad, F.lit(reason)) for reason, bad in checks.items())))


def id_hash(source: Source) -> Column:
    """64 bits that tell ids apart nearly always; equal ids have equal ones."""
    return F.xxhash64(F.col(source.event.id)).alias(ID_HASH)


def sort_out(judged: DataFrame, source: Source) -> DataFrame:
    """Add `outcome`: refused, repeated, contradicting or fresh.

    A row repeats the same event that was appended within the dedup window before it; it contradicts it when its content
    is new for the id in that window. A refused row makes no repeat of another.
    """
    accepted = F.col("reason").isNull()
    content = F.to_json(F.struct(*(_exact(shape) for shape in shapes(source.record.text))))
    by_id = Window.partitionBy(source.event.id, accepted)
    by_content = Window.partitionBy(source.event.id, accepted, "_content")
    before = F.lag("append_time")
    earlier = {"_before": before.over(by_id.orderBy(*_ORDER)), "_same": before.over(by_content.orderBy(*_ORDER))}
    outcome = (
        F.when(~accepted, REFUSED)
        .when(~_recent("_before", source), FRESH)
        .when(_recent("_same", source), REPEATED)
        .otherwise(CONTRADICTING)
    )
    with_earlier = judged.withColumn("_content", content).withColumns(earlier)
    return with_earlier.withColumn(OUTCOME, outcome).drop("_content", *earlier)


def sort_out_unique(judged: DataFrame) -> DataFrame:
    """The same for rows that share their id with no other one."""
    return judged.withColumn(OUTCOME, F.when(F.col("reason").isNotNull(), REFUSED).otherwise(FRESH))


def set_aside(sorted_out: DataFrame, source: Source) -> DataFrame:
    """Rows that are not fresh as far as counting them needs: `outcome`, and the id of one that contradicts another."""
    fresh, contradicting = F.col(OUTCOME) == FRESH, F.col(OUTCOME) == CONTRADICTING
    values = (name for name in sorted_out.columns if name not in ("reason", OUTCOME))
    return sorted_out.select(
        OUTCOME,
        F.when(contradicting, F.col(source.event.id)).alias(CONTRADICTED_ID),
        *(F.when(fresh, F.col(name)).alias(name) for name in values),
    )


def contradictions(df: DataFrame, source: Source) -> DataFrame:
    """Rows that repeat an event id within the dedup window, with a content that it did not have before in it.

    Of each other content the first row is told, with its `reason`; what repeats it is a repeat.
    """
    told = df.transform(sort_out, source).where(F.col(OUTCOME) == CONTRADICTING).drop(OUTCOME)
    return told.withColumn("reason", F.lit(contradiction(source)))


def contradiction(source: Source) -> str:
    """The reason under which such rows are rejected."""
    return f"{source.event.id}: same id as an earlier event, other content"


def shape(df: DataFrame, source: Source, processed_at: datetime, *kept: str) -> DataFrame:
    """The columns of silver, in order, then those `kept`; expects the PII rules to have been applied."""
    event_time = F.col(source.event.time)
    named = df.withColumns(
        {
            "event_time": event_time,
            "event_date": F.to_date(event_time),
            "processed_timestamp": F.lit(processed_at),
        }
    )
    silver = (F.col(column.name).cast(column.spark_type) for column in silver_columns(source))
    return named.select(*silver, *kept)


def _event_rules(source: Source) -> dict[str, Column]:
    event_id, time = F.col(source.event.id), F.col(source.event.time)
    latest = F.col("append_time") + F.lit(AHEAD)
    return {
        f"{source.event.id} is missing or blank": event_id.isNull() | (F.trim(event_id.cast("string")) == ""),
        f"{source.event.time} is missing": time.isNull(),
        f"{source.event.time} is before 2000": time < F.lit(EARLIEST).cast("timestamp"),
        f"{source.event.time} is more than a day after the record was appended": time > latest,
    }


def _recent(before: str, source: Source) -> Column:
    """True when the row was appended within the dedup window after the time in `before`; false where that is null."""
    apart = F.unix_micros("append_time") - F.unix_micros(before)
    return F.coalesce(apart <= F.lit(source.dedup_window // timedelta(microseconds=1)), F.lit(False))


def _exact(field: Shape) -> Column:
    """The field as JSON shows it; times as text, of which JSON would keep milliseconds only; maps in one order."""
    name, value = field.column.name, F.col(field.column.name)
    is_time = field.column.spark_type == "timestamp"
    return (value.cast("string") if is_time else _in_order(field, value)).alias(name)


def _in_order(shape: Shape, value: Column) -> Column:
    """The value with its maps as lists of entries, sorted by key: equal maps may hold their entries in any order."""
    kind, item = shape.column.spark_type, shape.items
    if "map<" not in kind:
        return value
    if shape.fields:
        fields = [_in_order(f, value[f.column.name]).alias(f.column.name) for f in shape.fields]
        return F.when(value.isNotNull(), F.struct(*fields))
    assert item is not None
    if kind.startswith("array"):
        return F.transform(value, lambda one: _in_order(item, one))
    values = (
        F.transform_values(value, lambda _, one: _in_order(item, one)) if "map<" in item.column.spark_type else value
    )
    return F.sort_array(F.map_entries(values))


def _column(df: DataFrame, column: avro.Column) -> Column:
    found = F.col(column.name) if column.name in df.columns else F.lit(None)
    return found.cast(column.spark_type)
