"""Rows of a batch in this process: all at once, or piece by piece where that is more than it takes."""

import logging
from collections.abc import Iterator, Mapping
from functools import reduce

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, functions as F

log = logging.getLogger(__name__)
Spans = Mapping[int, tuple[int, int]]
"""First and last offset, by Kafka partition."""
_TOO_LARGE = "spark.driver.maxResultSize"


def collected(rows: DataFrame, label: str = "") -> Iterator[tuple[str, pa.Table]]:
    """The rows with a label: one table, or several, each with rows of higher offsets than the one before.

    Where a batch is cut depends on its rows alone, so that a batch that comes again is cut, and labelled, likewise.
    """
    try:
        whole = rows.toArrow()
    except (Py4JJavaError, PySparkException) as error:
        if _TOO_LARGE not in str(error) or not _divisible(spans := _spans(rows)):
            raise
        log.warning("rows of %s are more than this process takes at once; taking them in pieces", dict(spans))
        for number, half in enumerate(halves(spans)):
            yield from collected(rows.where(_within(half)), f"{label}/{number}")
    else:
        yield label, whole


def halves(spans: Spans) -> tuple[Spans, Spans]:
    """The lower and the upper half of each partition's offsets; a single offset belongs to the lower one."""
    lower = {p: (first, (first + last) // 2) for p, (first, last) in spans.items()}
    upper = {p: ((first + last) // 2 + 1, last) for p, (first, last) in spans.items() if first < last}
    return lower, upper


def _divisible(spans: Spans) -> bool:
    return any(first < last for first, last in spans.values())


def _spans(rows: DataFrame) -> Spans:
    bounds = rows.groupBy("kafka_partition").agg(F.min("kafka_offset"), F.max("kafka_offset"))
    return {row[0]: (row[1], row[2]) for row in bounds.collect()}


def _within(spans: Spans) -> Column:
    offset, partition = F.col("kafka_offset"), F.col("kafka_partition")
    return reduce(Column.__or__, ((partition == p) & offset.between(*span) for p, span in sorted(spans.items())))
