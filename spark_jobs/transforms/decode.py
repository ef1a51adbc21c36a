"""Decodes Kafka records against a contract: every row gets its typed event; a bad one can be told why it has none."""

from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source
from spark_jobs.transforms import json_records

_EARLIEST, _LATEST = "1900-01-01", "2299-01-01"
_EARLIEST_EVENT, _LATEST_EVENT = "1970-01-01", "2100-01-01"
"""What every store on the way can hold: ClickHouse's window functions know 32-bit seconds only."""


def decode(records: DataFrame, source: Source) -> DataFrame:
    """Add `event` (struct of the contract's fields), `unknown_fields` and `good` to Kafka records.

    Needs the column `value`; keeps all others. Why a record is bad is not worked out here: see `explain`.
    """
    text, parsed, event = F.col("_text"), F.col("_parsed"), F.col("event")
    return (
        _parsed(records, source)
        .withColumn("good", _is_good(source, text, parsed, event))
        .withColumn("unknown_fields", F.when(F.col("good"), json_records.unknown_fields(text, source)))
        .drop("_text", "_parsed")
    )


def explain(records: DataFrame, source: Source) -> DataFrame:
    """Add `reason`, the first thing that is wrong with each of these bad records, in the words of the contract."""
    return (
        _parsed(records, source)
        .withColumn("reason", _reason(source, F.col("_text"), F.col("event")))
        .drop("_text", "_parsed", "event")
    )


def _parsed(records: DataFrame, source: Source) -> DataFrame:
    fields = [json_records.typed(F.col("_parsed"), f).alias(f.name) for f in source.record.fields]
    return (
        records.withColumn("_text", F.rtrim(json_records.text_of(F.col("value"))))
        .withColumn("_parsed", json_records.parse(F.col("_text"), source))
        .withColumn("event", F.struct(*fields))
    )


def _is_good(source: Source, text: Column, parsed: Column, event: Column) -> Column:
    fits = [~breaks(source, f, event[f.name]) for f in source.record.fields]
    dates = [
        parsed[f.name].isNull() | event[f.name].isNotNull()
        for f in source.record.fields
        if f.spark_type in {"timestamp", "date"}
    ]
    whole = [
        parsed.isNotNull(),
        parsed[json_records.CORRUPT].isNull(),
        json_records.is_whole(text),
        ~json_records.mistyped_text(text, parsed, source),
    ]
    return F.coalesce(reduce(lambda a, b: a & b, [*whole, *dates, *fits]), F.lit(False))


def breaks(source: Source, field: avro.Column, value: Column) -> Column:
    """True when a value of the right type is still not one that the contract, or a store, can take."""
    rules = [value.isNull()] if not field.nullable else []
    if field.symbols:
        rules.append(~value.isin(*field.symbols))
    if field.spark_type in {"timestamp", "date"}:
        earliest, latest = _range(source, field)
        rules.append(~((value >= F.lit(earliest).cast("timestamp")) & (value < F.lit(latest).cast("timestamp"))))
    if field.spark_type in {"float", "double"}:
        rules.append(F.isnan(value) | (F.abs(value) == float("inf")))
    return F.coalesce(reduce(lambda a, b: a | b, rules, F.lit(False)), F.lit(False))


def _reason(source: Source, text: Column, event: Column) -> Column:
    checks = [
        F.when(F.col("value").isNull(), F.lit("no value (a tombstone)")),
        F.when(text.isNull(), F.lit("not UTF-8")),
        F.when(F.length(F.trim(text)) == 0, F.lit("empty value")),
        F.when(F.json_object_keys(text).isNull(), F.lit("not a JSON object")),
        *[_field_reason(source, f, text, event[f.name]) for f in source.record.fields],
        F.when(~json_records.is_whole(text), F.lit("not one whole JSON object: text after its end, or an error in it")),
        F.lit("does not fit the schema"),
    ]
    return F.coalesce(*checks)


def _field_reason(source: Source, field: avro.Column, text: Column, value: Column) -> Column:
    wrong = F.coalesce(json_records.mismatch(text, field, value), _broken_rule(source, field, value))
    return F.when(wrong.isNotNull(), F.concat(F.lit(f"{field.name}: "), wrong))


def _broken_rule(source: Source, field: avro.Column, value: Column) -> Column:
    expected = f"expected {json_records.describe(field)}"
    if field.symbols:
        expected = f"expected one of {', '.join(field.symbols)}"
    if field.spark_type in {"timestamp", "date"}:
        expected = "expected {} to {}".format(*_range(source, field))
    found = F.concat(F.lit(f"{expected}, found "), F.substring(value.cast("string"), 1, 80))
    return F.when(value.isNotNull() & breaks(source, field, value), found)


def _range(source: Source, field: avro.Column) -> tuple[str, str]:
    return (_EARLIEST_EVENT, _LATEST_EVENT) if field.name == source.event.time else (_EARLIEST, _LATEST)
