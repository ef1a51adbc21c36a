"""JSON records: strict typing against a contract's schema, and a precise reason where a record does not fit."""

from functools import reduce

from pyspark.sql import Column, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source

CORRUPT = "_corrupt"
_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
}
_TIMESTAMP = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?$"
_DATE = r"^\d{4}-\d\d-\d\d$"
_NOT_TEXT = r"^(?s)(-?\d[\d.eE+-]*|true|false|[\[{].*)$"
"""What a number, boolean, list or object looks like where Spark has put its text into a string field."""
_AS_TEXT = {"timestamp", "date"}
"""Spark reads these leniently (`12:00`, epoch numbers), so they are parsed as text first, and then by us."""


def text_of(value: Column) -> Column:
    """The record's text; null when there is none, or when the bytes are not UTF-8."""
    text = value.cast("string")
    return F.when(F.is_valid_utf8(text), text)


def parse(text: Column, source: Source) -> Column:
    """One pass of the JSON parser; a wrong type anywhere fills the field `_corrupt`."""
    fields = [f"`{f.name}` {'string' if f.spark_type in _AS_TEXT else f.spark_type}" for f in source.record.fields]
    return F.from_json(text, ", ".join([*fields, f"`{CORRUPT}` string"]), _OPTIONS)


def typed(parsed: Column, field: avro.Column) -> Column:
    """The field's value in its Spark type; null when it cannot be."""
    raw = parsed[field.name]
    if field.spark_type == "timestamp":
        return F.when(raw.rlike(_TIMESTAMP), raw.try_cast("timestamp"))
    if field.spark_type == "date":
        return F.when(raw.rlike(_DATE), raw.try_cast("date"))
    return raw


def is_whole(text: Column) -> Column:
    """True when the text is one JSON value with nothing after it: the parser stops at the value's end.

    A record whose first closing brace is its last character has nothing after it; the others are counted.
    """
    closes_once = F.instr(text, "}") == F.length(text)
    return closes_once | (F.coalesce(F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))), F.lit(0)) == 1)


def mistyped_text(text: Column, parsed: Column, source: Source) -> Column:
    """True when a string field was given something else, which Spark would quietly turn into its text."""
    fields = [f for f in source.record.fields if f.spark_type in {"string", *_AS_TEXT} and not f.symbols]
    checks = [parsed[f.name].rlike(_NOT_TEXT) & (_kind(text, f.name) != "STRING") for f in fields]
    return F.coalesce(reduce(lambda a, b: a | b, checks, F.lit(False)), F.lit(False))


def unknown_fields(text: Column, source: Source) -> Column:
    """JSON object of the fields that the contract does not know; null when there are none."""
    known = F.array(*[F.lit(f.name) for f in source.record.fields])
    extra = F.map_filter(_members(text), lambda key, _: ~F.array_contains(known, key))
    return F.when(F.size(F.array_except(F.json_object_keys(text), known)) > 0, F.to_json(extra))


def mismatch(text: Column, field: avro.Column, value: Column) -> Column:
    """Why this field, whose value came out as `value`, does not fit; null when it does."""
    given = _members(text)[field.name]
    kind = F.schema_of_variant(given)
    found = F.substring(F.to_json(given), 1, 80)
    expected = f"expected {describe(field)}, found "
    wrong_text = F.lit(field.spark_type in {"string", *_AS_TEXT}) & kind.isNotNull() & ~kind.isin("STRING", "VOID")
    return F.when(
        kind.isNotNull() & (kind != "VOID") & (value.isNull() | wrong_text), F.concat(F.lit(expected), found)
    ).when(value.isNull() & F.lit(not field.nullable), F.lit(expected + "nothing"))


def describe(field: avro.Column) -> str:
    """The field's type as a person would say it."""
    plain = {"timestamp": "ISO-8601 timestamp", "bigint": "long", "date": "date like 2026-01-31"}
    return plain.get(field.spark_type, field.spark_type)


def _members(text: Column) -> Column:
    return F.from_json(text, "map<string,variant>", _OPTIONS)


def _kind(text: Column, name: str) -> Column:
    return F.coalesce(F.schema_of_variant(_members(text)[name]), F.lit("VOID"))
