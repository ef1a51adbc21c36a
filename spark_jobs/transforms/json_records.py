"""JSON records: strict typing against a contract's schema, and a precise reason where a record does not fit."""

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source
from spark_jobs.transforms.rules import TIMES, describe

TEXT, PARSED = "_text", "_parsed"
WORKING = (TEXT, PARSED)
"""Columns that `with_event` leaves for the other functions here; the caller drops them."""
_CORRUPT = "_corrupt"
_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": _CORRUPT,
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
}
_TIMESTAMP = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?$"
_DATE = r"^\d{4}-\d\d-\d\d$"
_NOT_TEXT = r"^(?s)(-?\d[\d.eE+-]*|true|false|[\[{].*)$"
"""What a number, boolean, list or object looks like where Spark has put its text into a string field."""


def with_event(records: DataFrame, source: Source, _: Mapping[int, str]) -> DataFrame:
    """Add `event`: one pass of the JSON parser, which marks a wrong type anywhere, then times by our own reading."""
    fields = [_typed(f).alias(f.name) for f in source.record.fields]
    return (
        records.withColumn(TEXT, F.rtrim(_text_of(F.col("value"))))
        .withColumn(PARSED, _parse(F.col(TEXT), source))
        .withColumn("event", F.struct(*fields))
    )


def is_sound(source: Source) -> Column:
    """True when the record is one whole JSON object in which every field has the type that the schema asks for."""
    parsed = F.col(PARSED)
    times = [f.name for f in source.record.fields if f.spark_type in TIMES]
    checks = [
        parsed.isNotNull(),
        parsed[_CORRUPT].isNull(),
        _is_whole(),
        ~_mistyped_text(source),
        *[parsed[name].isNull() | F.col("event")[name].isNotNull() for name in times],
    ]
    return reduce(lambda a, b: a & b, checks)


def unknown_fields(source: Source, _: Mapping[int, str]) -> Column:
    """JSON object of the fields that the contract does not know; null when there are none."""
    known = F.array(*[F.lit(f.name) for f in source.record.fields])
    extra = F.map_filter(_members(), lambda key, _: ~F.array_contains(known, key))
    return F.when(F.size(F.array_except(F.json_object_keys(F.col(TEXT)), known)) > 0, F.to_json(extra))


def reasons(_: Source) -> list[Column]:
    """Why a record is not even an object; null where it is one."""
    text = F.col(TEXT)
    return [
        F.when(F.col("value").isNull(), F.lit("no value (a tombstone)")),
        F.when(text.isNull(), F.lit("not UTF-8")),
        F.when(F.length(F.trim(text)) == 0, F.lit("empty value")),
        F.when(F.json_object_keys(text).isNull(), F.lit("not a JSON object")),
    ]


def mismatch(field: avro.Column, value: Column) -> Column:
    """Why this field, whose value came out as `value`, does not fit; null when it does."""
    given = _members()[field.name]
    kind = F.schema_of_variant(given)
    found = F.substring(F.to_json(given), 1, 80)
    expected = f"expected {describe(field)}, found "
    not_text = F.lit(field.spark_type in {"string", *TIMES}) & kind.isNotNull() & ~kind.isin("STRING", "VOID")
    return F.when(
        kind.isNotNull() & (kind != "VOID") & (value.isNull() | not_text), F.concat(F.lit(expected), found)
    ).when(value.isNull() & F.lit(not field.nullable), F.lit(expected + "nothing"))


def last_reasons() -> list[Column]:
    """What is left when every field fits."""
    return [F.when(~_is_whole(), F.lit("not one whole JSON object: text after its end, or an error in it"))]


def _text_of(value: Column) -> Column:
    """The record's text; null when there is none, or when the bytes are not UTF-8."""
    text = value.cast("string")
    return F.when(F.is_valid_utf8(text), text)


def _parse(text: Column, source: Source) -> Column:
    """Times are read as text: Spark would take `12:00` and epoch numbers for timestamps too."""
    fields = [f"`{f.name}` {'string' if f.spark_type in TIMES else f.spark_type}" for f in source.record.fields]
    return F.from_json(text, ", ".join([*fields, f"`{_CORRUPT}` string"]), _OPTIONS)


def _typed(field: avro.Column) -> Column:
    """The field's value in its Spark type; null when it cannot be."""
    raw = F.col(PARSED)[field.name]
    if field.spark_type == "timestamp":
        return F.when(raw.rlike(_TIMESTAMP), raw.try_cast("timestamp"))
    if field.spark_type == "date":
        return F.when(raw.rlike(_DATE), raw.try_cast("date"))
    return raw


def _is_whole() -> Column:
    """True when the text is one JSON value with nothing after it: the parser stops at the value's end.

    A record whose first closing brace is its last character has nothing after it; the others are counted.
    """
    text = F.col(TEXT)
    closes_once = F.instr(text, "}") == F.length(text)
    return closes_once | (F.coalesce(F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))), F.lit(0)) == 1)


def _mistyped_text(source: Source) -> Column:
    """True when a string field was given something else, which Spark would quietly turn into its text."""
    fields = [f.name for f in source.record.fields if f.spark_type in {"string", *TIMES} and not f.symbols]
    checks = [F.col(PARSED)[name].rlike(_NOT_TEXT) & (_kind(name) != "STRING") for name in fields]
    return F.coalesce(reduce(lambda a, b: a | b, checks, F.lit(False)), F.lit(False))


def _members() -> Column:
    return F.from_json(F.col(TEXT), "map<string,variant>", _OPTIONS)


def _kind(name: str) -> Column:
    return F.coalesce(F.schema_of_variant(_members()[name]), F.lit("VOID"))
