"""Decimals as JSON has them: a number, or its digits in quotes, by our own reading.

In a text Spark takes `1,50` for 150; and it writes a decimal out before it looks how large it is: `1e600000000`, digit
by digit, keeps a core busy for hours. So its parser reads decimals as variants, which hold a number of up to 38 digits
as it is, one with an exponent or more digits as a double, and a text as a text. A contract without decimals pays
nothing for this.
"""

import re
from collections.abc import Callable
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, functions as F

from millrace.contracts.shapes import Shape
from spark_jobs.transforms.json_nested import is_missing

_NUMBER = r"^-?\d{1,1000}(\.\d{1,1000})?([eE][+-]?\d{1,3})?\z"
_DECIMAL = re.compile(r"decimal\(\d+,\d+\)")
_LONG_NUMBER = r"[:\[,]\s*-?(\d[\d.]*[eE]|[\d.]{39})"
_LONG_EXPONENT = r"\d[eE][+-]?\d{4}"


def holds_decimal(spark_type: str) -> bool:
    """True for a decimal, and for what has one inside."""
    return _DECIMAL.search(spark_type) is not None


def as_read(spark_type: str) -> str:
    """The type with a variant for each decimal in it."""
    return _DECIMAL.sub("variant", spark_type)


def typed(shape: Shape, raw: Column) -> Column:
    """A value whose decimals were read as variants, in its type; what is no decimal is null."""
    kind, item = shape.column.spark_type, shape.items
    if not holds_decimal(kind):
        return raw
    if shape.fields:
        fields = [typed(f, raw[f.column.name]).alias(f.column.name) for f in shape.fields]
        return F.when(raw.isNotNull(), F.struct(*fields))
    if item is None:
        return _decimal(kind, raw)
    if kind.startswith("array"):
        return F.transform(raw, lambda one: typed(item, one))
    return F.transform_values(raw, lambda _, one: typed(item, one))


def fits(shape: Shape, raw: Column) -> Column:
    """True when each decimal in the value is one, or is not there: whether it may be missing is for others to say."""
    return _each(shape, raw, lambda one, value: is_missing(value) | typed(one, value).isNotNull(), and_, F.forall)


def has_double(shape: Shape, raw: Column) -> Column:
    """True when a decimal in the value came as a double."""
    return _each(shape, raw, lambda _, value: F.schema_of_variant(value) == "DOUBLE", or_, F.exists)


def has_long_number(text: Column) -> Column:
    """True when a number in a JSON text has an exponent or more than 38 digits; and for a few texts without one."""
    return text.rlike(_LONG_NUMBER)


def is_harmless(text: Column) -> Column:
    """True when no number in a JSON text has an exponent that would take long; false for a few texts without one."""
    return ~text.rlike(_LONG_EXPONENT)


def _decimal(kind: str, raw: Column) -> Column:
    return F.regexp_extract(F.try_variant_get(raw, "$", "string"), _NUMBER, 0).try_cast(kind)


def _each(
    shape: Shape,
    raw: Column,
    check: Callable[[Shape, Column], Column],
    join: Callable[[Column, Column], Column],
    of_items: Callable[[Column, Callable[[Column], Column]], Column],
) -> Column:
    """What a check says of the decimals in the value; where there are none, what is neutral to `join`."""
    item = shape.items
    if shape.fields:
        held = [f for f in shape.fields if holds_decimal(f.column.spark_type)]
        return reduce(join, [_each(f, raw[f.column.name], check, join, of_items) for f in held])
    if item is None:
        return F.coalesce(check(shape, raw), F.lit(join is and_))
    values = raw if shape.column.spark_type.startswith("array") else F.map_values(raw)
    found = of_items(values, lambda one: _each(item, one, check, join, of_items))
    return F.coalesce(found, F.lit(join is and_))
