"""Avro records in Confluent's wire format: a zero byte, the writer's schema id in four bytes, then the record."""

import json
from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.avro.functions import from_avro

from millrace.contracts.source import Source

SCHEMA_ID, PAYLOAD = "_schema_id", "_payload"
WORKING = (SCHEMA_ID, PAYLOAD, "_decoded")
"""Columns that `with_event` leaves for the other functions here; the caller drops them."""
_HEADER = 5


def with_event(records: DataFrame, source: Source, schemas: Mapping[int, str]) -> DataFrame:
    """Add `event`: read with the writer's schema that the record names, into the contract's."""
    options = {"mode": "PERMISSIVE", "avroSchema": source.record.text}
    decoded = _by_schema(schemas, lambda text: from_avro(PAYLOAD, text, options))
    fields = [F.col("_decoded")[f.name].cast(f.spark_type).alias(f.name) for f in source.record.fields]
    return (
        with_schema_id(records)
        .withColumn(PAYLOAD, F.expr(f"substring(value, {_HEADER + 1})"))
        .withColumn("_decoded", decoded if decoded is not None else F.lit(None).cast(f"struct<{_ddl(source)}>"))
        .withColumn("event", F.struct(*fields))
    )


def with_schema_id(records: DataFrame) -> DataFrame:
    """Add the id of the writer's schema; null when the bytes are not in the wire format."""
    value = F.col("value")
    framed = (F.length(value) > _HEADER) & (F.substring(value, 1, 1) == F.lit(b"\0"))
    number = F.conv(F.hex(F.substring(value, 2, 4)), 16, 10).cast("bigint")
    return records.withColumn(SCHEMA_ID, F.when(framed, number))


def is_sound(source: Source) -> Column:
    """True when the bytes are a record of a known schema: of one that is not, Spark makes nothing but nulls."""
    return reduce(lambda a, b: a | b, [F.col("event")[name].isNotNull() for name in source.fields])


def unknown_fields(source: Source, schemas: Mapping[int, str]) -> Column:
    """JSON object of what newer writers send beyond the contract; null when there is nothing."""
    extra = {number: text for number, text in schemas.items() if _extra(text, source)}
    found = _by_schema(extra, lambda text: _extra_json(text, source))
    return found if found is not None else F.lit(None).cast("string")


def _by_schema(schemas: Mapping[int, str], read: Callable[[str], Column]) -> Column | None:
    chosen: Column | None = None
    for number, text in schemas.items():
        is_this = F.col(SCHEMA_ID) == number
        chosen = F.when(is_this, read(text)) if chosen is None else chosen.when(is_this, read(text))
    return chosen


def _extra(text: str, source: Source) -> list[str]:
    return [f["name"] for f in json.loads(text).get("fields", []) if f["name"] not in source.fields]


def _extra_json(text: str, source: Source) -> Column:
    written = from_avro(PAYLOAD, text, {"mode": "PERMISSIVE"})
    return F.to_json(F.struct(*[written[name].alias(name) for name in _extra(text, source)]))


def _ddl(source: Source) -> str:
    return ", ".join(f"`{f.name}`: {f.spark_type}" for f in source.record.fields)
