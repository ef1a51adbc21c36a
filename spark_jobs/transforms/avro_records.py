"""Avro records in Confluent's wire format: a zero byte, the writer's schema id in four bytes, then the record."""

import json
from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, functions as F
from pyspark.sql.avro.functions import from_avro

from millrace.contracts.avro_units import other_units
from millrace.contracts.source import Source
from spark_jobs.transforms.avro_nested import faults

SCHEMA_ID, PAYLOAD, KNOWN, UNITS, DECODED, END = "_schema_id", "_payload", "_known", "_units", "_decoded", "_end"
WORKING = (SCHEMA_ID, PAYLOAD, KNOWN, UNITS, DECODED)
"""Columns that `with_event` leaves for the other functions here; the caller drops them."""
_HEADER = 5
_MARK = b"\x9eMr\xe7"
"""Read back after each record as a field of its own: where it is not found, the record was cut off, or bytes follow."""
_END_FIELD = {"name": END, "type": {"type": "fixed", "name": "MillraceEnd", "size": len(_MARK)}}


def with_event(records: DataFrame, source: Source, schemas: Mapping[int, str]) -> DataFrame:
    """Add `event`: read with the writer's schema that the record names, into the contract's.

    Numbers in other units than the contract's would be read as they are, so their records are not read at all.
    """
    options = {"mode": "PERMISSIVE", "avroSchema": _marked(source.record.text)}
    others = {number: why for number, text in schemas.items() if (why := other_units(text, source.record.text))}
    readable = {number: text for number, text in schemas.items() if number not in others}
    decoded = _by_schema(readable, lambda text: from_avro(PAYLOAD, _marked(text), options))
    units = _by_schema(others, F.lit)
    fields = [F.col(DECODED)[f.name].cast(f.spark_type).alias(f.name) for f in source.record.fields]
    return (
        with_schema_id(records)
        .withColumns({PAYLOAD: _payload(source), KNOWN: F.col(SCHEMA_ID).isin(*schemas)})
        .withColumn(UNITS, units if units is not None else F.lit(None).cast("string"))
        .withColumn(DECODED, decoded if decoded is not None else F.lit(None).cast(f"struct<{_ddl(source)}>"))
        .withColumn("event", F.struct(*fields))
    )


def _payload(source: Source) -> Column:
    """The record's bytes and our mark; null when there are more than the contract allows."""
    body = F.concat(F.expr(f"substring(value, {_HEADER + 1})"), F.lit(_MARK))
    return F.when(F.octet_length("value") <= source.topic.max_record_bytes, body)


def _marked(text: str) -> str:
    """The record schema with one more field at its end."""
    schema = json.loads(text)
    return json.dumps({**schema, "fields": [*schema["fields"], _END_FIELD]})


def with_schema_id(records: DataFrame) -> DataFrame:
    """Add the id of the writer's schema; null when the bytes are not in the wire format."""
    value = F.col("value")
    framed = (F.length(value) > _HEADER) & (F.substring(value, 1, 1) == F.lit(b"\0"))
    number = F.conv(F.hex(F.substring(value, 2, 4)), 16, 10).cast("bigint")
    return records.withColumn(SCHEMA_ID, F.when(framed, number))


def is_sound(source: Source) -> Column:
    """True when the bytes are one whole record of a known schema, and its texts and what lies inside it fit."""
    texts = [F.col(DECODED)[f.name] for f in source.record.fields if f.spark_type == "string"]
    utf8 = [F.coalesce(F.is_valid_utf8(text), F.lit(True)) for text in texts]
    return reduce(and_, [is_whole(), *utf8, *[found.isNull() for found in faults(source, F.col("event"))]])


def is_whole() -> Column:
    """True when our mark came back: not one byte of the record was too few, or too many."""
    return F.coalesce(F.col(DECODED)[END] == F.lit(_MARK), F.lit(False))


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
    return ", ".join([*(f"`{f.name}`: {f.spark_type}" for f in source.record.fields), f"`{END}`: binary"])
