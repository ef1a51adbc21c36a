"""What lies inside an Avro record's fields: as strict as its own fields.

Avro has typed all of it; what may be wrong is a text's bytes, or a value that the contract or a store cannot take. A
contract without nested fields pays nothing for this.
"""

from collections.abc import Callable

from pyspark.sql import Column, functions as F

from millrace.contracts.shapes import Shape, shapes
from millrace.contracts.source import Source
from spark_jobs.transforms.rules import TIMES, breaks, broken_rule, describe

NOT_UTF8 = "bytes that are not UTF-8"


def faults(source: Source, event: Column) -> list[Column]:
    """In words, the first thing wrong inside each nested field, null where all fits."""
    found = [fault(source, shape, event[shape.column.name]) for shape in shapes(source.record.text)]
    return [one for one in found if one is not None]


def fault(source: Source, shape: Shape, value: Column) -> Column | None:
    """The same of one field; None when it holds no others, or nothing in them can be wrong."""
    return _inside(source, shape, value, "") if shape.fields or shape.items else None


def _inside(source: Source, shape: Shape, value: Column, path: str) -> Column | None:
    """Null where the value is: whether it may be missing was Avro's to say."""
    if shape.fields:
        parts = [(f, value[f.column.name], f"{path}.{f.column.name}") for f in shape.fields]
        found = [one for part in parts if (one := _inside(source, *part)) is not None]
        return F.coalesce(*found) if found else None
    if not shape.items:
        return _in_plain(source, shape, value, path)
    item, path = shape.items, f"{path}[]"
    if shape.column.spark_type.startswith("array"):
        return _first(value, lambda one: _inside(source, item, one, path))
    keys = _first(F.map_keys(value), lambda key: _not_utf8(key, f"{path}: expected string as key, found "))
    values = _first(F.map_values(value), lambda one: _inside(source, item, one, path))
    return keys if values is None or keys is None else F.coalesce(keys, values)


def _first(values: Column, wrong: Callable[[Column], Column | None]) -> Column | None:
    """What is wrong with the first of the values of which something is; None when nothing can be."""
    if wrong(values) is None:
        return None
    none = F.lit(None).cast("string")

    def first(found: Column, one: Column) -> Column:
        now = wrong(one)
        return found if now is None else F.coalesce(found, now)

    return F.aggregate(values, none, first)


def _in_plain(source: Source, shape: Shape, value: Column, path: str) -> Column | None:
    column = shape.column.model_copy(update={"name": path})  # or one named like the event's time would have its range
    if column.spark_type not in {"string", "float", "double", *TIMES}:
        return None
    rule = F.when(value.isNotNull() & breaks(source, column, value), broken_rule(source, column, value))
    broken = F.concat(F.lit(f"{path}: "), rule)
    if column.spark_type != "string":
        return broken
    not_utf8 = _not_utf8(value, f"{path}: expected {describe(column)}, found ")
    return F.coalesce(not_utf8, broken) if column.symbols else not_utf8


def _not_utf8(text: Column, expected: str) -> Column:
    return F.when(~F.is_valid_utf8(text), F.lit(expected + NOT_UTF8))
