"""JSON records: strict typing against a contract's schema, in one pass of the parser for a record as it should be."""

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.shapes import Shape, shapes
from millrace.contracts.source import Source
from spark_jobs.transforms import json_decimals, json_nested, json_times
from spark_jobs.transforms.rules import TIMES

TEXT, PARSED, EXACT, PLAIN, SUSPECT, MEMBERS = "_text", "_parsed", "_exact", "_plain", "_suspect", "_members"
WORKING = (TEXT, PARSED, EXACT, PLAIN, SUSPECT, MEMBERS)
"""Columns that `with_event` leaves for the other functions here; the caller drops them."""
CORRUPT = "_corrupt"
DEEPEST = 100
"""Levels of nesting. Spark walks values recursively: some hundred levels overflow its stack, and end the driver."""
OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": CORRUPT,
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
    "maxNestingDepth": str(DEEPEST),
}
_NOT_TEXT = r"^(?s)(-?\d[\d.eE+-]*+|true|false|[\[{].*)$"
"""What a number, boolean, list or object looks like where Spark has put its text into a string field."""
_LONE_SURROGATE = r"(?i)\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f]"
_CLOSES_A_LIST = r"\}[ \t\r\n]*+\]"
_LENGTHS = {"string", "int", "bigint", "boolean", *TIMES}
"""Types of which the shortest JSON text is known from the value."""


def with_event(records: DataFrame, source: Source, _: Mapping[int, str]) -> DataFrame:
    """Add `event`: one pass of the JSON parser, which marks a wrong type anywhere, then times and decimals by ours.

    Spark compiles no plan that holds one of its parsers; it then writes the code of each expression beside it anew for
    each task. So the parsers are columns of their own, and all that is worked out of them comes in other steps.
    """
    return (
        records.withColumn(TEXT, _text_of(F.col("value"), source))
        .withColumn(PARSED, parse(source.record.fields))
        .transform(_with_exact, source)
        .withColumns({"event": _event(source), PLAIN: _is_plain(source), SUSPECT: _is_suspect(source)})
        .withColumn(MEMBERS, F.when(~F.col(PLAIN) | F.col(SUSPECT), members()))
    )


def is_sound(source: Source) -> Column:
    """True when the record is one whole, unambiguous JSON object whose fields have the types of the schema."""
    parsed = F.col(PARSED)
    times = [f.name for f in source.record.fields if f.spark_type in TIMES]
    checks = [
        parsed.isNotNull(),
        parsed[CORRUPT].isNull(),
        ~_mistyped_text(source),
        *[parsed[name].isNull() | F.col("event")[name].isNotNull() for name in times],
        *[json_decimals.fits(shape, parsed[shape.column.name]) for shape in _with_decimals(source)],
        F.when(F.col(PLAIN), F.lit(True)).otherwise(_is_unambiguous(source)),
        *[found.isNull() for found in _faults(source)],
    ]
    return reduce(and_, checks)


def unknown_fields(source: Source, _: Mapping[int, str]) -> Column:
    """JSON object of the fields that the contract does not know; null when there are none."""
    known = F.array(*[F.lit(f.name) for f in source.record.fields])
    extra = F.map_filter(F.col(MEMBERS), lambda key, _: ~F.array_contains(known, key))
    within = json_nested.unknown_fields(source, F.col(MEMBERS), extra)
    if within is not None:
        return within
    more = F.when(F.size(F.array_except(keys(), known)) > 0, F.to_json(extra))
    return F.when(~F.col(PLAIN), F.when(F.size(keys()) > _present(source), more))


def parse(fields: tuple[avro.Column, ...], options: Mapping[str, str] = OPTIONS) -> Column:
    """The text's members, and under `CORRUPT` the text itself where one of them is of a wrong type.

    Times are read as text: Spark would take `12:00` and epoch numbers for timestamps too. Decimals are variants.
    """
    kinds = {f.name: "string" if f.spark_type in TIMES else json_decimals.as_read(f.spark_type) for f in fields}
    return _members_of(kinds, options)


def _members_of(kinds: Mapping[str, str], options: Mapping[str, str] = OPTIONS) -> Column:
    ddl = [f"`{name}` {kind}" for name, kind in kinds.items()]
    return F.from_json(F.col(TEXT), ", ".join([*ddl, f"`{CORRUPT}` string"]), dict(options))


def typed(shape: Shape, parsed: Column) -> Column:
    """The field's value in its Spark type; null when it cannot be."""
    raw = parsed[shape.column.name]
    return json_decimals.typed(shape, json_times.typed(shape.column, raw))


def members() -> Column:
    """Every member of the object; null where an object inside has the same key twice."""
    return F.from_json(F.col(TEXT), "map<string,variant>", OPTIONS)


def keys() -> Column:
    """The keys of the object, as often as they occur."""
    return F.json_object_keys(F.col(TEXT))


def is_whole() -> Column:
    """True when the text is one JSON object with nothing after it: the parser stops at the object's end.

    A record that closes only once, at its end, has nothing after it. Another is read as all there is in a list: what
    follows would be a second item or an error, unless it closes the list first. Such a `]` comes next after a `}`;
    where there is one, the record must be all there is in an object too, which only a `}` could close first.
    """
    text = F.col(TEXT)
    closes_once = ~F.endswith(text, F.lit("}}")) & ~F.contains(F.expr(f"trim(TRAILING '}}' FROM {TEXT})"), F.lit("}"))
    items = F.json_array_length(F.concat(F.lit("["), text, F.lit("]")))
    names = F.size(F.json_object_keys(F.concat(F.lit('{"":'), text, F.lit("}"))))
    alone = (F.coalesce(items, F.lit(0)) == 1) & (~text.rlike(_CLOSES_A_LIST) | (F.coalesce(names, F.lit(0)) == 1))
    return F.when(closes_once & F.endswith(text, F.lit("}")), F.lit(True)).otherwise(alone)


def has_lone_surrogate() -> Column:
    """True when an escape names half of a character, as `\\ud800` does: nothing can store it, Spark puts a `?`."""
    text = F.col(TEXT)
    escaped = F.replace(text, F.lit("\\\\"), F.lit("--"))
    return F.when(F.contains(text, F.lit("\\u")), escaped.rlike(_LONE_SURROGATE)).otherwise(F.lit(False))


def has_nested(source: Source) -> bool:
    return any(f.spark_type.startswith(("array", "map", "struct")) for f in source.record.fields)


def _event(source: Source) -> Column:
    """Each field in its type; decimals with all their digits."""
    fields = {shape.column.name: typed(shape, F.col(PARSED)) for shape in shapes(source.record.text)}
    exact = {shape.column.name: F.col(EXACT)[shape.column.name] for shape in _with_decimals(source)}
    whole = fields | {name: F.coalesce(value, fields[name]) for name, value in exact.items()}
    return F.struct(*[value.alias(name) for name, value in whole.items()])


def _with_exact(parsed: DataFrame, source: Source) -> DataFrame:
    """Add decimals as Spark reads them, for the rare record that needs it and does no harm."""
    found = [(shape, F.col(PARSED)[shape.column.name]) for shape in _with_decimals(source)]
    if not found:
        return parsed
    needed = json_decimals.has_long_number(F.col(TEXT)) & reduce(or_, [json_decimals.has_double(*one) for one in found])
    sound = json_decimals.is_harmless(F.col(TEXT)) & reduce(and_, [json_decimals.fits(*one) for one in found])
    kinds = {shape.column.name: shape.column.spark_type for shape, _ in found}
    return parsed.withColumn(EXACT, F.when(needed & sound, _members_of(kinds)))


def _with_decimals(source: Source) -> list[Shape]:
    return [shape for shape in shapes(source.record.text) if json_decimals.holds_decimal(shape.column.spark_type)]


def _text_of(value: Column, source: Source) -> Column:
    """The record's text; null when there is none, too much of it, or when the bytes are not UTF-8."""
    text = value.cast("string")
    readable = (F.octet_length(value) <= source.topic.max_record_bytes) & F.is_valid_utf8(text)
    return F.when(readable, F.rtrim(text))


def _is_plain(source: Source) -> Column:
    """True for a record that is as short as its values allow, as compact writers make it.

    Then there is room for nothing else in it: no space, no escape, no field twice, no unknown one, nothing at its end.
    """
    if any(f.spark_type not in _LENGTHS for f in source.record.fields):
        return F.lit(False)
    shortest = reduce(lambda a, b: a + b, [_shortest(f) for f in source.record.fields], F.lit(1))
    return F.coalesce(F.octet_length(TEXT) == shortest, F.lit(False))


def _shortest(field: avro.Column) -> Column:
    """Bytes of the member with its colon and comma; nothing for a null, which need not be there."""
    value = F.col(PARSED)[field.name]
    quotes = 2 if field.spark_type in {"string", *TIMES} else 0
    length = F.octet_length(value.cast("string")) + (len(field.name) + 4 + quotes)
    return F.coalesce(length, F.lit(0)) if field.nullable else length


def _is_unambiguous(source: Source) -> Column:
    """True when nothing follows the object, no key is there twice, and each character is a whole one."""
    distinct = F.size(F.array_distinct(keys())) == F.size(keys())
    parsed = F.col(MEMBERS).isNotNull()
    once = F.when(F.size(keys()) == _present(source), parsed | F.lit(not has_nested(source))).otherwise(
        distinct & parsed
    )
    return is_whole() & ~has_lone_surrogate() & once


def _faults(source: Source) -> list[Column]:
    """What is wrong inside nested fields; none for a contract that has none."""
    found = [json_nested.fault(source, field, F.col(MEMBERS)) for field in source.record.fields]
    return [one for one in found if one is not None]


def _present(source: Source) -> Column:
    """How many of the contract's fields have a value."""
    there = [F.when(F.col(PARSED)[name].isNotNull(), F.lit(1)).otherwise(F.lit(0)) for name in source.fields]
    return reduce(lambda a, b: a + b, there)


def _mistyped_text(source: Source) -> Column:
    """True when a text field was given something else, which Spark would quietly turn into its text."""
    checks = [F.when(_looks_otherwise(name), _kind(name) != "STRING") for name in _texts(source)]
    wrong = reduce(or_, [F.coalesce(check, F.lit(False)) for check in checks], F.lit(False))
    return F.when(F.col(SUSPECT), wrong).otherwise(F.lit(False))


def _is_suspect(source: Source) -> Column:
    """True when a text field looks like something else, and must be looked at in the record itself."""
    looks = [F.coalesce(_looks_otherwise(name), F.lit(False)) for name in _texts(source)]
    return reduce(or_, looks, F.lit(False))


def _looks_otherwise(name: str) -> Column:
    return F.col(PARSED)[name].rlike(_NOT_TEXT)


def _texts(source: Source) -> list[str]:
    return [f.name for f in source.record.fields if f.spark_type in {"string", *TIMES} and not f.symbols]


def _kind(name: str) -> Column:
    return F.coalesce(F.schema_of_variant(F.col(MEMBERS)[name]), F.lit("VOID"))
