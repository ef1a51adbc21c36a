"""Why an Avro record does not fit its contract, in words."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source
from spark_jobs.transforms.avro_records import SCHEMA_ID, is_sound, with_event
from spark_jobs.transforms.rules import describe


def with_each_field(records: DataFrame, source: Source, schemas: Mapping[int, str]) -> DataFrame:
    return with_event(records, source, schemas)


def reasons(source: Source) -> list[Column]:
    """Why the bytes are no record; null where they are one."""
    return [
        F.when(F.col(SCHEMA_ID).isNull(), F.lit("not in Confluent's wire format")),
        F.when(
            ~is_sound(source),
            F.concat(F.lit("no record of schema id "), F.col(SCHEMA_ID), F.lit(", or no such schema in the registry")),
        ),
    ]


def mismatch(field: avro.Column, value: Column) -> Column:
    """Avro has typed the field already; what may be missing is its value."""
    expected = f"expected {describe(field)}, found nothing"
    return F.when(value.isNull() & F.lit(not field.nullable), F.lit(expected))
