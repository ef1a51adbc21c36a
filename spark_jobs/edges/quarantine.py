"""The quarantine sink of landing: bad records to the lake, to the dead-letter topic, and to the index."""

import base64
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import KafkaError, KafkaException, Producer
from pyspark.sql import Column, DataFrame, Row, SparkSession, functions as F

from millrace import names
from millrace.clickhouse.client import anew, is_transient
from millrace.contracts.source import Source
from millrace.errors import TransientError
from millrace.settings import Settings
from millrace.topics import largest_dead_letter
from spark_jobs.edges.bronze_tables import append_once
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.patience import Patience
from spark_jobs.edges.producing import open_producer
from spark_jobs.transforms.bronze import quarantine_rows

log = logging.getLogger(__name__)
INDEX = f"{names.OPS}.quarantine"
INDEX_COLUMNS = [
    "source", "stage", "reason", "kafka_topic", "kafka_partition", "kafka_offset", "append_time", "ingestion_timestamp",
]  # fmt: skip
LEFT_OUT = "millrace.left_out"
"""Header of a dead letter whose content was too large for its topic."""
_PORTION = 64 * 1024 * 1024
"""Bytes of records that come to this process at once; a single record may be more."""
_LARGE = ("value", "key", "headers")
_POSITION = ("kafka_partition", "kafka_offset")
_ORDER = [(name, "ascending") for name in _POSITION]
Place = tuple[int, int]
"""Partition and offset."""


class Quarantine:
    """Where one source's bad records go. Lake and topic are mandatory; the index may lag while ClickHouse is down,
    or refuses it.

    The lake and the index hold each record once. A crash between the topic and the lake repeats the batch in the topic;
    its headers say which record it is.
    """

    def __init__(
        self, settings: Settings, clickhouse: Clients, source: Source, schemas: Mapping[int, str], path: str,
        patience: Patience,
    ) -> None:  # fmt: skip
        self._settings, self._clickhouse, self._source, self._path = settings, clickhouse, source, path
        self._schemas, self._patience = schemas, patience
        self._index_behind = True

    def write(self, bad: DataFrame, app_id: str, batch_id: int) -> None:
        """Write one batch of bad records, as Kafka gave them; they are read and explained once."""
        rows = quarantine_rows(bad, self._source, self._schemas)
        kept = rows.coalesce(rows.sparkSession.sparkContext.defaultParallelism).persist()
        query = names.landing_query(self._source.name)
        try:
            sent = self._patience.call(query, "Kafka", lambda: self._send(kept))
            append_once(self._patience, query, kept, self._path, app_id, batch_id)
            log.warning("%s: %d records to quarantine", self._source.name, sent)
            self._index(kept, f"{app_id}:{batch_id}")
        finally:
            kept.unpersist()

    def _send(self, kept: DataFrame) -> int:
        return send_dead_letters(self._settings, self._source, in_portions(kept).toLocalIterator())

    def _index(self, bad: DataFrame, token: str) -> None:
        try:
            if self._index_behind:
                self._catch_up(bad.sparkSession)
            else:
                self._insert(bad, token)
            self._index_behind = False
        except Exception as error:
            if not (is_transient(error) or isinstance(error, ClickHouseError)):
                raise
            self._index_behind = True  # for whatever reason: landing may run before the index is made, and without it
            log.warning("%s: the quarantine index lags: %s", self._source.name, error)

    def _catch_up(self, spark: SparkSession) -> None:
        """Index what the lake holds and ClickHouse missed; the same rows again replace themselves."""
        newest = self._clickhouse.mine().query(
            f"SELECT toString(max(ingestion_timestamp)) FROM {INDEX} WHERE source = %(s)s AND stage = 'landing'",
            parameters={"s": self._source.name},
        )
        missed = spark.read.format("delta").load(self._path)
        since = F.lit(newest.result_rows[0][0]).cast("timestamp")
        self._insert(missed.where(F.col("ingestion_timestamp") >= since), None)

    def _insert(self, rows: DataFrame, token: str | None) -> None:
        lines = rows.select(*INDEX_COLUMNS).toArrow().sort_by(_ORDER)
        options = {"insert_deduplication_token": token} if token else anew()
        self._clickhouse.mine().insert_arrow(INDEX, lines, settings=options)


def in_portions(kept: DataFrame) -> DataFrame:
    """The same records, in partitions that this process can hold one at a time: records may be of ten megabytes."""
    size = reduce(Column.__add__, (F.coalesce(F.octet_length(name), F.lit(0)) for name in _LARGE)).cast("bigint")
    sizes = kept.select(*_POSITION, size.alias("size"))
    if (sizes.agg(F.sum("size")).collect()[0][0] or 0) <= _PORTION:
        return kept
    firsts = first_of_each(sorted(((row[0], row[1]), row[2]) for row in sizes.toLocalIterator()), _PORTION)
    return kept.repartitionById(len(firsts), _portion(firsts[1:]))


def first_of_each(sizes: Iterable[tuple[Place, int]], most: int) -> list[Place]:
    """Where each portion begins: as many records as `most` bytes hold, and at least one."""
    firsts: list[Place] = []
    held = 0
    for place, size in sizes:
        if not firsts or held + size > most:
            firsts.append(place)
            held = 0
        held += size
    return firsts


def _portion(firsts: Sequence[Place]) -> Column:
    """The number of a record's portion: how many of these begin at the record or before it."""
    at_partition, at_offset = map(F.col, _POSITION)
    begun = [(at_partition > p) | ((at_partition == p) & (at_offset >= offset)) for p, offset in firsts]
    return reduce(Column.__add__, (one.cast("int") for one in begun), F.lit(0))


def send_dead_letters(settings: Settings, source: Source, rows: Iterable[Row]) -> int:
    """Produce the original bytes to the dead-letter topic, wait for every acknowledgement, and give their number."""
    topic = names.dead_letter_topic(source.topic.name)
    producer = open_producer(settings, largest_dead_letter(source))
    failed: list[str] = []
    sent = 0
    for sent, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
        _produce(producer, topic, row, failed)
    left = producer.flush(90)
    if left or failed:
        raise TransientError(f"{left + len(failed)} records did not reach topic {topic}: {failed[:1]}")
    return sent


def _produce(producer: Producer, topic: str, row: Row, failed: list[str]) -> None:
    """Hand one record over. What was compressed below Kafka's limit, and is beyond ours, goes without its content."""

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(str(error))

    value, key, headers = row.value, row.key, [*_their_headers(row), *_our_headers(row)]
    left_out = False
    while True:
        try:
            producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
            return
        except BufferError:
            producer.poll(1)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE or left_out:
                raise
            value, key, left_out = None, None, True
            headers = [*_our_headers(row), (LEFT_OUT, "too large for this topic; quarantine has it in the lake")]


def _their_headers(row: Row) -> list[tuple[str, bytes | None]]:
    """The record's own headers, as they came: in the table their values are base64."""
    headers = json.loads(row.headers or "[]")
    return [(h["key"], base64.b64decode(h["value"]) if "value" in h else None) for h in headers]


def _our_headers(row: Row) -> list[tuple[str, str]]:
    """Why the record is here, and where it came from."""
    return [
        ("millrace.reason", row.reason),
        ("millrace.stage", row.stage),
        ("millrace.topic", row.kafka_topic),
        ("millrace.partition", str(row.kafka_partition)),
        ("millrace.offset", str(row.kafka_offset)),
    ]
