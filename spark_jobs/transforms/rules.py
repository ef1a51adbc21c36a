"""What the contract, and the stores on the way, ask of a typed value."""

from functools import reduce

from pyspark.sql import Column, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source

TIMES = frozenset({"timestamp", "date"})
_EARLIEST, _LATEST = "1900-01-01", "2299-01-01"
_EARLIEST_EVENT, _LATEST_EVENT = "1970-01-01", "2100-01-01"
"""What every store on the way can hold: ClickHouse's window functions know 32-bit seconds only."""


def breaks(source: Source, field: avro.Column, value: Column) -> Column:
    """True when a value of the right type is still not one that the contract, or a store, can take."""
    rules = [value.isNull()] if not field.nullable else []
    if field.symbols:
        rules.append(~value.isin(*field.symbols))
    if field.spark_type in TIMES:
        earliest, latest = _range(source, field)
        rules.append(~((value >= F.lit(earliest).cast("timestamp")) & (value < F.lit(latest).cast("timestamp"))))
    if field.spark_type in {"float", "double"}:
        rules.append(F.isnan(value) | (F.abs(value) == float("inf")))
    return F.coalesce(reduce(lambda a, b: a | b, rules, F.lit(False)), F.lit(False))


def broken_rule(source: Source, field: avro.Column, value: Column) -> Column:
    """In words, which rule the value breaks; null when it breaks none, or is null."""
    expected = f"expected {describe(field)}"
    if field.symbols:
        expected = f"expected one of {', '.join(field.symbols)}"
    if field.spark_type in TIMES:
        expected = "expected {} to {}".format(*_range(source, field))
    found = F.concat(F.lit(f"{expected}, found "), F.substring(value.cast("string"), 1, 80))
    return F.when(value.isNotNull() & breaks(source, field, value), found)


def describe(field: avro.Column) -> str:
    """The field's type as a person would say it."""
    plain = {"timestamp": "ISO-8601 timestamp", "bigint": "long", "date": "date like 2026-01-31"}
    return plain.get(field.spark_type, field.spark_type)


def _range(source: Source, field: avro.Column) -> tuple[str, str]:
    return (_EARLIEST_EVENT, _LATEST_EVENT) if field.name == source.event.time else (_EARLIEST, _LATEST)
