"""What Kafka says of an interval: whether landing has passed the offset of its end, and how many records it took."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from psycopg import Connection

from millrace import names
from millrace.contracts.source import Source
from millrace.control.offsets import committed_offsets
from millrace.control.topics import topic_read
from millrace.errors import TransientError
from millrace.intervals import Interval
from millrace.kafka import client_settings
from millrace.settings import Settings
from millrace.topics import admin, topic_id

log = logging.getLogger(__name__)
CLOCK_SKEW = timedelta(seconds=2)
"""How far a broker's clock may lag behind ours: until then it can still append a record that belongs before `end`."""
_TIMEOUT = 20.0
_PAUSE = 0.2
"""A read of many records waits this long for them to become as many as were asked for."""
_ENOUGH = 1
"""Stands for "some records" while the interval has not ended and nobody can know how many."""


def missing(settings: Settings, conn: Connection, source: Source, end: datetime) -> dict[int, int]:
    """How many records each partition still lacks in bronze before `end`; empty means complete.

    While `end` lies in the future nothing is complete. Nor is it before the end of a transaction that was open then:
    landing has not read what it holds, and it is dated before `end`. Raises TransientError when Kafka does not answer.
    """
    if datetime.now(UTC) < end + CLOCK_SKEW:
        return dict.fromkeys(range(source.topic.partitions), _ENOUGH)
    with _reader(settings, isolation="read_uncommitted") as consumer:
        partitions = _partitions(consumer, source.topic.name)
        bounds = _offsets_at(consumer, partitions, end)
        committed = _first_offsets(consumer, partitions) | _landed(settings, conn, source)
    return behind(bounds, committed)


def _landed(settings: Settings, conn: Connection, source: Source) -> dict[int, int]:
    """Offsets that landing has committed of the topic as it is; none of one that was made anew and not met yet."""
    topic = source.topic.name
    known, found = topic_read(conn, names.landing_query(source.name), topic), topic_id(admin(settings), topic)
    if known is not None and found is not None and known != found:
        log.warning("topic '%s' was made anew; landing meets it when its query, or its driver, starts again", topic)
        return {}
    return committed_offsets(conn, source.name)


def unread(settings: Settings, conn: Connection, sources: Iterable[Source]) -> dict[str, int]:
    """How many records of each source lie in Kafka now that landing has not committed; no record is read for it."""
    with _reader(settings) as consumer:
        return {source.name: sum(_unread(consumer, conn, source).values()) for source in sources}


def _unread(consumer: Consumer, conn: Connection, source: Source) -> dict[int, int]:
    bounds = _watermarks(consumer, _partitions(consumer, source.topic.name))
    firsts = {partition: first for partition, (first, _) in bounds.items()}
    ends = {partition: end for partition, (_, end) in bounds.items()}
    return behind(ends, firsts | committed_offsets(conn, source.name))


def behind(bounds: Mapping[int, int], committed: Mapping[int, int]) -> dict[int, int]:
    """Records between what landing has committed and `bounds`, for the partitions that lag."""
    gaps = {p: bound - committed.get(p, 0) for p, bound in bounds.items()}
    return {p: gap for p, gap in gaps.items() if gap > 0}


def acked(settings: Settings, source: Source, *intervals: Interval) -> list[int | None]:
    """How many offsets Kafka gave out in each interval; None where retention may have deleted some of them since.

    It costs the same for any interval. A transaction, and compaction, leave offsets that are no records: see `held`.
    """
    with _reader(settings) as consumer:
        each = [_bounds(consumer, source, interval) for interval in intervals]
    return [None if bounds is None else sum(end - start for start, end in bounds.values()) for bounds in each]


def held(settings: Settings, source: Source, interval: Interval) -> int | None:
    """How many committed records Kafka holds of the interval, each read; None where some may have been deleted."""
    with _reader(settings) as consumer:
        bounds = _bounds(consumer, source, interval)
        return None if bounds is None else _read_through(consumer, source.topic.name, bounds)


def _read_through(consumer: Consumer, topic: str, bounds: Mapping[int, tuple[int, int]]) -> int:
    ends = {p: end for p, (start, end) in bounds.items() if end > start}
    consumer.assign([TopicPartition(topic, p, bounds[p][0]) for p in ends])
    count, quiet = 0, 0
    while ends:
        batch = consumer.consume(10_000, timeout=_PAUSE)
        quiet = 0 if batch else quiet + 1
        if quiet * _PAUSE > _TIMEOUT:
            raise TransientError(f"Kafka gave no record of {topic} for {_TIMEOUT:.0f} s; still to read up to {ends}")
        count += sum(_take(message, ends) for message in batch)
        consumer.pause([TopicPartition(topic, p) for p in bounds if p not in ends])
    return count


def _take(message: Message, ends: dict[int, int]) -> int:
    """1 for a record before its partition's end, which is taken off `ends` once it is reached."""
    partition, offset, error = message.partition(), message.offset(), message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        raise KafkaException(error)
    if partition is None or offset is None or partition not in ends:
        return 0
    end = ends[partition]
    if error is not None or offset + 1 >= end:
        del ends[partition]
    return int(error is None and offset < end)


def _bounds(consumer: Consumer, source: Source, interval: Interval) -> dict[int, tuple[int, int]] | None:
    """First offset and end per partition; None where retention may have deleted the first."""
    partitions = _partitions(consumer, source.topic.name)
    starts = _offsets_at(consumer, partitions, interval.start)
    ends = _offsets_at(consumer, partitions, interval.end)
    firsts = _first_offsets(consumer, partitions)
    if any(0 < firsts[p] == starts[p] for p in starts):
        return None
    return {p: (starts[p], ends[p]) for p in starts}


def offset_bounds(settings: Settings, topic: str) -> dict[int, tuple[int, int]]:
    """The first offset that Kafka still has and the end, per partition. Raises TransientError without an answer."""
    with _reader(settings) as consumer:
        return _watermarks(consumer, _partitions(consumer, topic))


@contextmanager
def _reader(settings: Settings, isolation: str = "read_committed") -> Iterator[Consumer]:
    """A consumer that joins no group; Kafka's errors come out as TransientError.

    With `read_committed` a partition ends where its oldest open transaction begins.
    """
    # Below log level 3 librdkafka is silent; otherwise a broker that is down fills the log with twenty lines a second.
    consumer = Consumer(
        client_settings(settings)
        | {
            "group.id": "millrace-completeness",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "log_level": 2,
        }
    )
    try:
        yield consumer
    except KafkaException as error:
        raise TransientError(
            f"Kafka at {settings.kafka_bootstrap} did not answer: {error.args[0]}; see `make doctor`"
        ) from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic]
    if found.error or not found.partitions:
        raise TransientError(f"topic '{topic}' is not there yet; `make up` creates it")
    return [TopicPartition(topic, p) for p in sorted(found.partitions)]


def _offsets_at(consumer: Consumer, partitions: list[TopicPartition], moment: datetime) -> dict[int, int]:
    """Per partition, the offset of the first record appended at or after `moment`, else the end of the partition."""
    millis = -(-int(moment.timestamp() * 1_000_000) // 1000)
    asked = [TopicPartition(p.topic, p.partition, millis) for p in partitions]
    found = {p.partition: p.offset for p in consumer.offsets_for_times(asked, timeout=_TIMEOUT)}
    bounds = _watermarks(consumer, partitions)
    return {p: offset if offset >= 0 else bounds[p][1] for p, offset in found.items()}


def _first_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> dict[int, int]:
    return {partition: first for partition, (first, _) in _watermarks(consumer, partitions).items()}


def _watermarks(consumer: Consumer, partitions: Iterable[TopicPartition]) -> dict[int, tuple[int, int]]:
    """Per partition, the first offset that it still has, and the one that its next record will get."""
    return {p.partition: consumer.get_watermark_offsets(p, timeout=_TIMEOUT) for p in partitions}
