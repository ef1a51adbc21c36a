"""What lies inside a JSON record's fields: the strictness of its own fields, and the fields that nobody knows.

Spark's parser has refused numbers, booleans, lists and objects of a wrong type already, at any depth. It takes a number
for a text or a time, and null for what must be there. A contract without nested fields pays nothing for this.
"""

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column, functions as F

from millrace.contracts import avro
from millrace.contracts.shapes import Shape, shapes
from millrace.contracts.source import Source
from spark_jobs.transforms import json_times
from spark_jobs.transforms.rules import TIMES, breaks, broken_rule, describe

_ENTRIES = "array<struct<key: string, value: variant>>"


def nested(source: Source) -> list[Shape]:
    """The fields that hold others."""
    return [shape for shape in shapes(source.record.text) if shape.fields or shape.items]


def fault(source: Source, field: avro.Column, members: Column) -> Column | None:
    """In words, the first thing wrong inside the field, null when all fits; None when nothing can be wrong.

    `members` has the record's members as variants.
    """
    shape = next((s for s in nested(source) if s.column.name == field.name), None)
    if shape is None or (inside := _inside(source, shape, members[field.name], "")) is None:
        return None
    return F.when(~is_missing(members[field.name]), inside)


def unknown_fields(source: Source, members: Column, extra: Column) -> Column | None:
    """JSON object of `extra` and of what nobody knows inside, by paths like `inside.more` and `list[0].more`.

    Null when there is nothing; None when no field holds a record. Where a key looks like the path of another, the
    fields that hold records are kept whole, under their own names, which no other key has.
    """
    holders = [shape for shape in nested(source) if shape.holds_records]
    if not holders:
        return None
    names = [shape.column.name for shape in holders]
    top = _or_none(F.map_entries(extra))
    found = F.concat(top, *[_unknown(s, members[n], F.lit(n)) for s, n in zip(holders, names, strict=True)])
    whole = F.array(*[F.struct(F.lit(name).alias("key"), members[name].alias("value")) for name in names])
    keys = F.transform(found, lambda entry: entry["key"])
    distinct = F.when(F.size(F.array_distinct(keys)) == F.size(keys), found).otherwise(F.concat(top, whole))
    return F.when(F.size(found) > 0, F.to_json(F.map_from_entries(distinct)))


def _fault(source: Source, shape: Shape, value: Column, path: str) -> Column | None:
    """What is wrong with a value inside a field, `path` below it."""
    inside = _inside(source, shape, value, path)
    if inside is None and shape.column.nullable:
        return None
    nothing = None if shape.column.nullable else f"{path}: expected {describe(shape.column)}, found nothing"
    otherwise = F.lit(None).cast("string") if inside is None else inside
    return F.when(is_missing(value), F.lit(nothing).cast("string")).otherwise(otherwise)


def _inside(source: Source, shape: Shape, value: Column, path: str) -> Column | None:
    """What is wrong in a value that is there."""
    if shape.fields:
        members = _as_map(value)
        parts = [(f, members[f.column.name], f"{path}.{f.column.name}") for f in shape.fields]
        faults = [found for part in parts if (found := _fault(source, *part)) is not None]
        return F.coalesce(*faults) if faults else None
    if shape.items:
        return _in_items(source, shape, value, f"{path}[]")
    return _in_plain(source, shape.column, value, path)


def _in_items(source: Source, shape: Shape, value: Column, path: str) -> Column | None:
    item = shape.items
    assert item is not None
    if _fault(source, item, value, path) is None:
        return None
    none = F.lit(None).cast("string")
    values = _as_list(value) if shape.column.spark_type.startswith("array") else F.map_values(_as_map(value))

    def first(found: Column, one: Column) -> Column:
        wrong = _fault(source, item, one, path)
        return found if wrong is None else F.coalesce(found, wrong)

    return F.aggregate(values, none, first)


def _in_plain(source: Source, column: avro.Column, value: Column, path: str) -> Column | None:
    """Of the types that Spark's parser does not hold to what the contract asks."""
    kind = column.spark_type
    if kind not in {"string", "float", "double", *TIMES}:
        return None
    column = column.model_copy(update={"name": path})  # or one named like the event's time would have its range
    is_number = kind in {"float", "double"}
    read = json_times.typed(column, F.try_variant_get(value, "$", kind if is_number else "string"))
    shown = F.substring(F.to_json(value), 1, 80)
    mistyped = read.isNull() if is_number else (F.schema_of_variant(value) != "STRING") | read.isNull()
    wrong = F.when(mistyped, F.concat(F.lit(f"{path}: expected {describe(column)}, found "), shown))
    rule = F.when(breaks(source, column, read), broken_rule(source, column, read))
    return F.coalesce(wrong, F.concat(F.lit(f"{path}: "), rule))


def _unknown(shape: Shape, value: Column, path: Column) -> Column:
    """Entries of path and value; for a shape that holds records."""
    if shape.fields:
        return _unknown_of_record(shape, value, path)
    item = shape.items
    assert item is not None
    if shape.column.spark_type.startswith("array"):
        below: Callable[[Column, Column], Column] = lambda one, n: _unknown(  # noqa: E731 - Spark asks for two arguments
            item, one, F.concat(path, F.lit("["), n.cast("string"), F.lit("]"))
        )
        return _or_none(F.flatten(F.transform(_as_list(value), below)))
    entries = F.map_entries(_as_map(value))
    return _or_none(
        F.flatten(F.transform(entries, lambda e: _unknown(item, e["value"], F.concat(path, F.lit("."), e["key"]))))
    )


def _unknown_of_record(shape: Shape, value: Column, path: Column) -> Column:
    members = _as_map(value)
    known = F.array(*[F.lit(f.column.name) for f in shape.fields])
    extra = F.map_entries(F.map_filter(members, lambda key, _: ~F.array_contains(known, key)))
    own = F.transform(
        extra, lambda e: F.struct(F.concat(path, F.lit("."), e["key"]).alias("key"), e["value"].alias("value"))
    )
    below = [(f, f.column.name) for f in shape.fields if f.holds_records]
    parts = [_unknown(f, members[name], F.concat(path, F.lit(f".{name}"))) for f, name in below]
    return reduce(F.concat, parts, _or_none(own))


def is_missing(value: Column) -> Column:
    """True for a variant that is not there, and for JSON's null."""
    return value.isNull() | F.is_variant_null(value)


def _or_none(entries: Column) -> Column:
    return F.coalesce(entries, F.array().cast(_ENTRIES))


def _as_map(value: Column) -> Column:
    return F.try_variant_get(value, "$", "map<string,variant>")


def _as_list(value: Column) -> Column:
    return F.try_variant_get(value, "$", "array<variant>")
