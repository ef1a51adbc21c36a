"""Decodes Kafka records against a contract: every row gets its typed event; a bad one can be told why it has none."""

from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType
from typing import Protocol

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts import avro
from millrace.contracts.source import Source
from spark_jobs.transforms import avro_reasons, avro_records, json_reasons, json_records
from spark_jobs.transforms.rules import breaks, broken_rule


class Format(Protocol):
    """What a record format offers; each is a module."""

    @property
    def WORKING(self) -> tuple[str, ...]: ...  # noqa: N802 - a constant of the module

    def with_event(self, records: DataFrame, source: Source, schemas: Mapping[int, str], /) -> DataFrame: ...

    def is_sound(self, source: Source, /) -> Column: ...

    def unknown_fields(self, source: Source, schemas: Mapping[int, str], /) -> Column: ...


class Reasons(Protocol):
    """What a record format has to say about bad records; each is a module."""

    def with_each_field(self, records: DataFrame, source: Source, schemas: Mapping[int, str], /) -> DataFrame: ...

    def reasons(self, source: Source, /) -> list[Column]: ...

    def mismatch(self, source: Source, field: avro.Column, value: Column, /) -> Column: ...


_FORMATS: Mapping[str, Format] = {"json": json_records, "avro": avro_records}
_REASONS: Mapping[str, Reasons] = {"json": json_reasons, "avro": avro_reasons}
NO_SCHEMAS: Mapping[int, str] = MappingProxyType({})


def decode(records: DataFrame, source: Source, schemas: Mapping[int, str] = NO_SCHEMAS) -> DataFrame:
    """Add `event` (struct of the contract's fields), `unknown_fields` and `good` to Kafka records.

    Needs the column `value`; keeps all others. `schemas` are the writers' schemas by their ids, for Avro. Why a record
    is bad is not worked out here: see `explain`.
    """
    form = _FORMATS[source.format]
    fits = [~breaks(source, f, F.col("event")[f.name]) for f in source.record.fields]
    good = F.coalesce(reduce(lambda a, b: a & b, [form.is_sound(source), *fits]), F.lit(False))
    return (
        form.with_event(records, source, schemas)
        .withColumn("good", good)
        .withColumn("unknown_fields", F.when(F.col("good"), form.unknown_fields(source, schemas)))
        .drop(*form.WORKING)
    )


def explain(records: DataFrame, source: Source, schemas: Mapping[int, str] = NO_SCHEMAS) -> DataFrame:
    """Add `reason`, the first thing that is wrong with each of these bad records, in the words of the contract.

    A value that it shows may hold NUL, which PostgreSQL takes in no text.
    """
    form = _REASONS[source.format]
    checks = [
        F.when(F.col("value").isNull(), F.lit("no value (a tombstone)")),
        _too_large(source),
        *form.reasons(source),
        *[_field_reason(form, source, f) for f in source.record.fields],
        F.lit("does not fit the schema"),
    ]
    return (
        form.with_each_field(records, source, schemas)
        .withColumn("reason", F.translate(F.coalesce(*checks), "\0", "\ufffd"))
        .drop(*_FORMATS[source.format].WORKING, "event")
    )


def _too_large(source: Source) -> Column:
    size, most = F.octet_length("value"), source.topic.max_record_bytes
    return F.when(size > most, F.concat(F.lit("record of "), size, F.lit(f" bytes, the contract allows {most}")))


def _field_reason(form: Reasons, source: Source, field: avro.Column) -> Column:
    value = F.col("event")[field.name]
    wrong = F.coalesce(form.mismatch(source, field, value), broken_rule(source, field, value))
    return F.when(wrong.isNotNull(), F.concat(F.lit(f"{field.name}: "), wrong))
