"""The independent reconciler: reads Kafka, Delta and ClickHouse with other libraries than Millrace uses to write."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import requests
from confluent_kafka import Consumer, TopicPartition
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from millrace.settings import Settings


@dataclass(frozen=True)
class Sent:
    """One record as it lies in Kafka."""

    partition: int
    offset: int
    append_time: datetime
    value: bytes | None

    @property
    def event(self) -> dict[str, Any] | None:
        """The event where the bytes are a JSON object, None where they are not."""
        try:
            parsed = json.loads(self.value or b"")
        except ValueError:
            return None
        return parsed if isinstance(parsed, dict) else None


def read_topic(settings: Settings, topic: str) -> list[Sent]:
    """Every record of a topic from its first offset to the end at the time of the call."""
    config = {"bootstrap.servers": settings.kafka_bootstrap, "group.id": "truth", "enable.auto.commit": False}
    consumer = Consumer(config)
    try:
        return list(_read_all(consumer, topic))
    finally:
        consumer.close()


def _read_all(consumer: Consumer, topic: str) -> Iterator[Sent]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    left = {}
    for p in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
        if high > low:
            left[p] = high
    consumer.assign([TopicPartition(topic, p, 0) for p in left])
    while left:
        message = consumer.poll(10)
        if message is None:
            raise TimeoutError(f"Kafka gave no record of {topic} for 10 s; still to come, by partition: {left}")
        if message.error():
            raise RuntimeError(str(message.error()))
        stamp = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
        yield Sent(message.partition(), message.offset(), stamp, message.value())
        if message.offset() + 1 >= left.get(message.partition(), 0):
            left.pop(message.partition(), None)


def lake_rows(
    settings: Settings, layer: str, table: str, select: str, columns: list[str] | None = None
) -> list[tuple[Any, ...]]:
    """Run a DuckDB SELECT over one Delta table, named `t` in it; a table that does not exist yet has no rows.

    `columns` are those that are read, all without it.
    """
    try:
        arrow = DeltaTable(f"{settings.lake}/{layer}/{table}").to_pyarrow_table(columns=columns)
    except TableNotFoundError:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", arrow)
        return connection.execute(select).fetchall()


def lake_count(settings: Settings, layer: str, table: str) -> int:
    """Number of rows of a Delta table by the counts in its log, 0 where there is none."""
    try:
        return int(DeltaTable(f"{settings.lake}/{layer}/{table}").count())
    except TableNotFoundError:
        return 0


def clickhouse_rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Rows of a query over ClickHouse's plain HTTP interface."""
    return list(_clickhouse(settings, sql).json()["data"])


def clickhouse_write(settings: Settings, sql: str) -> None:
    """Run a statement that gives no rows."""
    _clickhouse(settings, sql)


def _clickhouse(settings: Settings, sql: str) -> requests.Response:
    response = requests.post(
        f"http://{settings.clickhouse_host}:{settings.clickhouse_http_port}/",
        params={"default_format": "JSON", "output_format_json_quote_64bit_integers": 0},
        data=sql.encode(),
        auth=(settings.clickhouse_user, settings.clickhouse_password.get_secret_value()),
        timeout=30,
    )
    if not response.ok:
        raise RuntimeError(response.text)
    return response


def last_count(settings: Settings, source: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ledger's line of the last run's whole interval, and those of its hours."""
    last = f"SELECT argMax(run_id, written_at) FROM ops.ledger WHERE source = '{source}'"
    sql = f"""SELECT * FROM ops.ledger FINAL WHERE source = '{source}' AND run_id = ({last})
        ORDER BY interval_end - interval_start DESC"""
    whole, *hours = clickhouse_rows(settings, sql)
    return whole, hours or [whole]
