"""The rival of the live query and of landing: ClickHouse's own Kafka engine, a materialized view, and MergeTree."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client
from confluent_kafka import Consumer, TopicPartition

from millrace import names
from millrace.clickhouse.client import connect
from millrace.contracts.source import Source
from millrace.settings import Settings

DATABASE = "bench"
TABLE = f"{DATABASE}.rival_events"
QUEUE = f"{DATABASE}.rival_queue"
FEED = f"{DATABASE}.rival_feed"


@dataclass(frozen=True)
class KafkaEngine:
    """Settings are ClickHouse's defaults but for those named here: its own documentation's advice for low latency."""

    settings: Settings
    source: Source
    topic: str
    group: str
    flush_ms: int | None = None
    consumers: int = 1

    @contextmanager
    def attached(self, from_end: bool) -> Iterator[str]:
        """Consume while the block runs; the name of the table that it fills."""
        client = connect(self.settings)
        drop(client)
        _commit(self.settings, self.topic, self.group, from_end)
        client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        client.command(self._queue())
        client.command(self._table())
        client.command(self._feed())
        try:
            yield TABLE
        finally:
            drop(connect(self.settings))

    def _queue(self) -> str:
        fields = ", ".join(f"`{f.name}` {f.clickhouse_type}" for f in self.source.record.fields)
        flush = f", kafka_flush_interval_ms = {self.flush_ms}" if self.flush_ms else ""
        return f"""CREATE TABLE {QUEUE} ({fields}) ENGINE = Kafka SETTINGS
            kafka_broker_list = '{self.settings.kafka_bootstrap}', kafka_topic_list = '{self.topic}',
            kafka_group_name = '{self.group}', kafka_format = 'JSONEachRow', kafka_num_consumers = {self.consumers},
            kafka_thread_per_consumer = {int(self.consumers > 1)}, date_time_input_format = 'best_effort'{flush}"""

    def _table(self) -> str:
        fields = ", ".join(f"`{self._renamed(f.name)}` {f.clickhouse_type}" for f in self.source.record.fields)
        return f"""CREATE TABLE {TABLE} ({fields}, append_time DateTime64(3, 'UTC'), kafka_partition Int32,
            kafka_offset Int64) ENGINE = MergeTree ORDER BY (event_time, kafka_partition, kafka_offset)"""

    def _feed(self) -> str:
        fields = ", ".join(f"`{f.name}` AS `{self._renamed(f.name)}`" for f in self.source.record.fields)
        return f"""CREATE MATERIALIZED VIEW {FEED} TO {TABLE} AS SELECT {fields},
            _timestamp_ms AS append_time, _partition AS kafka_partition, _offset AS kafka_offset FROM {QUEUE}"""

    def _renamed(self, field: str) -> str:
        return "event_time" if field == self.source.event.time else field


def drop(client: Client) -> None:
    """Detach first the reader, then what it fills."""
    for kind, name in (("VIEW", FEED), ("TABLE", QUEUE), ("TABLE", TABLE)):
        client.command(f"DROP {kind} IF EXISTS {name} SYNC")


def _commit(settings: Settings, topic: str, group: str, from_end: bool) -> None:
    """Where the consumer group begins: at the end of the topic, or at its beginning."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": group})
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        ranges = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20) for p in partitions}
        offsets = [TopicPartition(topic, p, high if from_end else low) for p, (low, high) in ranges.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()


def live_table(source: Source) -> str:
    return f"{names.LIVE}.`{source.name}`"
