"""Why an Avro record does not fit its contract, in words."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.shapes import shapes
from millrace.contracts.source import Source
from spark_jobs.transforms.avro_nested import NOT_UTF8, fault
from spark_jobs.transforms.avro_records import KNOWN, SCHEMA_ID, UNITS, is_whole, with_event
from spark_jobs.transforms.rules import describe


def with_each_field(records: DataFrame, source: Source, schemas: Mapping[int, str]) -> DataFrame:
    return with_event(records, source, schemas)


def reasons(_: Source) -> list[Column]:
    """Why the bytes are no record; null where they are one."""
    return [
        F.when(F.col(SCHEMA_ID).isNull(), F.lit("not in Confluent's wire format")),
        F.when(~F.col(KNOWN), F.concat(F.lit("the registry has no schema id "), F.col(SCHEMA_ID))),
        F.concat(F.lit("schema id "), F.col(SCHEMA_ID), F.lit(" has "), F.col(UNITS)),
        F.when(
            ~is_whole(),
            F.concat(
                F.lit("no record of schema id "), F.col(SCHEMA_ID), F.lit(": broken, cut off, or bytes after its end")
            ),
        ),
    ]


def mismatch(source: Source, field: avro.Column, value: Column) -> Column:
    """Avro has typed the field already; what may be missing is its value, and what may be wrong a text's bytes."""
    expected = f"expected {describe(field)}, found "
    missing = F.when(value.isNull() & F.lit(not field.nullable), F.lit(expected + "nothing"))
    if field.spark_type == "string":
        return F.coalesce(missing, F.when(~F.is_valid_utf8(value), F.lit(expected + NOT_UTF8)))
    shape = next(shape for shape in shapes(source.record.text) if shape.column.name == field.name)
    inside = fault(source, shape, value)
    return missing if inside is None else F.coalesce(missing, inside)
