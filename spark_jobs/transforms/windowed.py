"""Rows on their way into a stream model, and its results on their way out."""

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.model import StreamModel
from millrace.contracts.source import Source

_NESTED = ("array", "map", "struct", "variant")


def timely(rows: DataFrame, source: Source) -> DataFrame:
    """Rows whose event time is not ahead of the broker's clock by more than the lateness.

    One producer with a clock that is a day fast would push the watermark past everybody else's events.
    """
    lateness = F.expr(f"INTERVAL {int(source.event.lateness.total_seconds())} SECONDS")
    return rows.filter(F.col("event_time") <= F.col("append_time") + lateness)


def watermarked(rows: DataFrame, source: Source, model: StreamModel) -> DataFrame:
    """Set the model's watermark.

    A clock may be fast by the lateness and still be timely. It pushes the watermark by as much, and that is added to
    the delay, so that everybody else keeps what the model promises.
    """
    delay = f"{int((model.watermark + source.event.lateness).total_seconds())} seconds"
    return rows.withWatermark("event_time", delay)


def portable(results: DataFrame) -> DataFrame:
    """Nested result columns as JSON text, which both ClickHouse and the topic's readers take."""
    return results.select(*[_flat(f.name, f.dataType.typeName()) for f in results.schema.fields])


def _flat(name: str, kind: str) -> Column:
    return F.to_json(F.col(name)).alias(name) if kind in _NESTED else F.col(name)
