"""What a stream model reads from a live table is what live decoded: nested values travel as JSON text, and back."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from pyspark.sql import Row, SparkSession, functions as F

from millrace.contracts.avro import Column, Record
from millrace.contracts.columns import live_columns
from millrace.contracts.source import Source
from spark_jobs.transforms.live_rows import live_rows, refined_rows, restored, stored_type

TYPES = {
    "order_id": "string",
    "placed": "timestamp",
    "good": "string",
    "day": "date",
    "total": "decimal(12,2)",
    "tags": "array<string>",
    "prices": "map<string,decimal(12,4)>",
    "buyer": "struct<`name`:string,`born`:date,`seen`:timestamp,`key`:binary,`score`:double>",
    "lines": "array<struct<`sku`:string,`n`:int>>",
}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FULL = {
    "order_id": "o1",
    "placed": NOON.replace(microsecond=123456),
    "good": "as new",
    "day": date(2026, 1, 1),
    "total": Decimal("10.50"),
    "tags": ["a", None, 'quo"te'],
    "prices": {"net": Decimal("1.2345"), "none": None},
    "buyer": Row(
        name="ä", born=date(1970, 1, 1), seen=NOON.replace(microsecond=123456), key=bytearray(b"\xff\x00"), score=0.1
    ),
    "lines": [Row(sku="s", n=1), Row(sku=None, n=None)],
}
EMPTY = dict.fromkeys(TYPES) | {"order_id": "o2", "placed": NOON, "tags": [], "prices": {}, "lines": []}


def test_nested_values_come_back_as_they_were(spark: SparkSession) -> None:
    fields = tuple(Column(name=n, spark_type=t, nullable=n != "order_id") for n, t in TYPES.items())
    source = Source(
        name="orders", domain="shop", folder=Path(), record=Record(name="Order", doc="", fields=fields, text=""),
        owner="shop", description="Orders.", topic={"name": "orders"}, event={"id": "order_id", "time": "placed"},
    )  # fmt: skip
    columns = live_columns(source)
    event = f"struct<{','.join(f'`{n}`:{t}' for n, t in TYPES.items())}>"
    decoded = spark.createDataFrame(
        [(True, Row(**row), NOON, 0, offset) for offset, row in enumerate((FULL, EMPTY))],
        f"good boolean, event {event}, timestamp timestamp, partition int, offset bigint",
    )
    held = live_rows(decoded, source, b"key").select(*[c.name for c in columns])
    assert {f.name: f.dataType.simpleString() for f in held.schema} == {c.name: stored_type(c) for c in columns}
    wanted = refined_rows(decoded, source, b"key").select(*[c.name for c in columns])
    found = held.transform(restored, columns)
    assert [(f.name, f.dataType) for f in found.schema] == [(f.name, f.dataType) for f in wanted.schema]
    assert found.orderBy(F.col("kafka_offset")).collect() == wanted.orderBy(F.col("kafka_offset")).collect()
