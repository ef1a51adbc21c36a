"""Sends events to Kafka and counts exactly what was sent and acknowledged."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self, TextIO

from confluent_kafka import KafkaError, Message, Producer

from millrace.contracts.source import Source
from millrace.errors import TransientError
from simulators.codec import Encode
from simulators.event import Event

POLL_EVERY = 200
QUEUE = 200_000
DELIVERY_TIMEOUT_MS = 600_000
"""A broker may be away for ten minutes before a message counts as failed."""
FLUSH_SECONDS = 60.0


def producer(kafka: Mapping[str, str]) -> Producer:
    """Where `kafka` says, an idempotent producer: each message once, in order, acknowledged by all replicas."""
    return Producer(
        {
            **kafka,
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 10,
            "batch.size": 262_144,
            "queue.buffering.max.messages": QUEUE,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
        }
    )


class Delivery:
    """Sends the events of one source; use it in a `with` block, which flushes at its end."""

    def __init__(self, client: Producer, source: Source, encode: Encode, truth: Path | None = None) -> None:
        self._client, self._topic, self._key, self._encode = client, source.topic.name, source.topic.key, encode
        self._truth: TextIO | None = truth.open("w") if truth else None
        self.kinds: Counter[str] = Counter()
        """Events sent, by kind."""
        self.sent = 0
        self.acked = 0
        self.failures: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        left = self._client.flush(FLUSH_SECONDS)
        if left:
            self.failures["not acknowledged before the end"] += left
        if self._truth:
            self._truth.close()

    def send_all(self, events: Iterator[Event]) -> None:
        for event in events:
            self.send(event)

    def send(self, event: Event) -> None:
        value = event.raw if event.raw is not None else self._encode(event.fields)
        key = str(event.fields[self._key]).encode() if self._key else None
        done = partial(self._record, event) if self._truth else self._count
        while not self._queued(key, value, done):
            self._client.poll(0.1)
        self.kinds[event.kind] += 1
        self.sent += 1
        if self.sent % POLL_EVERY == 0:
            self._client.poll(0)

    def _queued(self, key: bytes | None, value: bytes, done: Callable[..., None]) -> bool:
        try:
            self._client.produce(self._topic, value, key, on_delivery=done)
        except BufferError:
            return False
        return True

    def _count(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acked += 1
            return
        self.failures[error.str()] += 1
        if error.fatal():
            raise TransientError(f"Kafka refused the producer for good: {error.str()}; start the simulator again")

    def _record(self, event: Event, error: KafkaError | None, message: Message) -> None:
        self._count(error, message)
        if error is None and self._truth:
            self._truth.write(_truth_line(event, message))


def _truth_line(event: Event, message: Message) -> str:
    line: dict[str, Any] = {
        "partition": message.partition(),
        "offset": message.offset(),
        "event_id": event.id,
        "kind": event.kind,
    }
    return json.dumps(line) + "\n"
