"""Why a JSON record does not fit its contract, in words; worked out for bad records only, so that it may cost."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.shapes import Shape, shapes
from millrace.contracts.source import Source
from spark_jobs.transforms import json_decimals, json_nested, json_records as json
from spark_jobs.transforms.rules import TIMES, describe

_UNBOUNDED = {"maxNestingDepth": "2147483647", "maxNumLen": "2147483647"}
_LONGEST_KEY = 50_000
"""Characters; the limit of the parser."""


def with_each_field(records: DataFrame, source: Source, schemas: Mapping[int, str]) -> DataFrame:
    """Add `event` with each field read by itself, so that a wrong one takes no other with it."""
    fields = [_alone(shape).alias(shape.column.name) for shape in shapes(source.record.text)]
    return json.with_event(records, source, schemas).withColumn("event", F.struct(*fields))


def reasons(_: Source) -> list[Column]:
    """Why a record is not one JSON object that can be read in one way only; null where it is."""
    text = F.col(json.TEXT)
    start = F.substring(F.ltrim(F.translate(text, "\t\r\n", "   ")), 1, 1)
    return [
        F.when(text.isNull(), F.lit("not UTF-8")),
        F.when(text.rlike(r"^\s*\z"), F.lit("empty value")),
        F.when(start == "\ufeff", F.lit("not a JSON object: it starts with a byte order mark")),
        F.when(start != "{", F.lit("not a JSON object")),
        F.when(_has_long_key(), F.lit(f"a key of more than {_LONGEST_KEY} characters")),
        F.when(~_is_readable(_UNBOUNDED), F.lit("not a JSON object: broken, or cut off")),
        F.when(
            ~_is_readable({"maxNumLen": _UNBOUNDED["maxNumLen"]}),
            F.lit(f"nested deeper than {json.DEEPEST} levels"),
        ),
        F.when(~_is_readable({}), F.lit("a number of more than 1000 digits")),
        F.when(~json.is_whole(), F.lit("not one whole JSON object: text after its end, or an error in it")),
        F.when(json.has_lone_surrogate(), F.lit("half a character: an escape like \\ud800 without its other half")),
        _key_twice(),
        F.when(json.members().isNull(), F.lit("a key twice in an object inside the record")),
    ]


def mismatch(source: Source, field: avro.Column, value: Column) -> Column:
    """Why this field, whose value came out as `value`, does not fit; null when it does."""
    given = json.members()[field.name]
    kind = F.coalesce(F.schema_of_variant(given), F.lit("VOID"))
    expected = f"expected {describe(field)}, found "
    not_text = F.lit(field.spark_type in {"string", *TIMES}) & (kind != "STRING")
    wrong = (kind != "VOID") & (value.isNull() | not_text)
    whole = F.when(wrong, F.concat(F.lit(expected), _shown(field, given, kind))).when(
        value.isNull() & F.lit(not field.nullable), F.lit(expected + "nothing")
    )
    inside = json_nested.fault(source, field, json.members())
    return whole if inside is None else F.coalesce(whole, inside)


def _alone(shape: Shape) -> Column:
    parsed = json.parse((shape.column,))
    readable = parsed[json.CORRUPT].isNull()
    if json_decimals.holds_decimal(shape.column.spark_type):
        readable &= json_decimals.fits(shape, parsed[shape.column.name])
    return F.when(readable, json.typed(shape, parsed))


def _is_readable(limits: Mapping[str, str]) -> Column:
    """True when the parser gets through to the end of the object, within these limits."""
    nothing = avro.Column(name="_", spark_type="string", nullable=True)
    return F.coalesce(json.parse((nothing,), {**json.OPTIONS, **limits})[json.CORRUPT].isNull(), F.lit(False))


def _has_long_key() -> Column:
    text = F.col(json.TEXT)
    return (F.octet_length(text) > _LONGEST_KEY) & text.rlike(rf'"[^"]{{{_LONGEST_KEY},}}"\s*:')


def _key_twice() -> Column:
    """Names a key that is there again: sorted, then each compared with the one before, so that many may come."""
    none = F.lit(None).cast("string")
    found = F.aggregate(
        F.sort_array(json.keys()),
        F.struct(none.alias("before"), none.alias("again")),
        lambda seen, key: F.struct(
            key.alias("before"), F.coalesce(seen["again"], F.when(key == seen["before"], key)).alias("again")
        ),
        lambda seen: seen["again"],
    )
    return F.concat(F.lit("the key '"), F.substring(found, 1, 80), F.lit("' twice"))


def _shown(field: avro.Column, given: Column, kind: Column) -> Column:
    """The value as the record has it; a variant would show 1.0 as 1."""
    raw = F.from_json(F.col(json.TEXT), "map<string,string>", json.OPTIONS)[field.name]
    is_number = kind.isin("BIGINT", "DOUBLE", "FLOAT") | kind.startswith("DECIMAL")
    return F.substring(F.when(is_number, raw).otherwise(F.to_json(given)), 1, 80)
