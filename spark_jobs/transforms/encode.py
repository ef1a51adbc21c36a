"""Typed rows back to the bytes of a Kafka record: the inverse of decoding, for rows whose bytes nobody kept."""

from pyspark.sql import Column, functions as F
from pyspark.sql.avro.functions import to_avro

from millrace.contracts.source import Source

_TIMES = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}


def encoded(source: Source, schema_id: int | None) -> Column:
    """The record's value, from columns named like the source's fields, and `unknown_fields`.

    `schema_id`: under which the contract's schema is registered, for Avro; unknown fields are then left out.
    """
    event = F.struct(*[F.col(name) for name in source.fields])
    if source.format == "avro":
        assert schema_id is not None
        return F.concat(F.lit(b"\0" + schema_id.to_bytes(4)), to_avro(event, source.record.text))
    return F.encode(_with_unknown(F.to_json(event, _TIMES)), "UTF-8")


def record_key(source: Source) -> Column:
    """The key that the contract declares, as text."""
    key = source.topic.key
    return F.lit(None).cast("binary") if key is None else F.encode(F.col(key).cast("string"), "UTF-8")


def _with_unknown(text: Column) -> Column:
    extra = F.col("unknown_fields")
    merged = F.concat(F.substring(text, 1, F.length(text) - 1), F.lit(","), F.substring(extra, 2, F.length(extra)))
    return F.when(F.length(extra) > 2, merged).otherwise(text)
