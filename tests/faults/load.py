"""Steady load: numbered events with known ids, and the position at which Kafka acknowledged each."""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Self

from confluent_kafka import KafkaError, Message, Producer

from tests.faults.lab import RECORD_LIMIT, Lab
from tests.services.platform import await_that

KINDS = ("a", "b", "c", "d", "e", "f", "g")


@dataclass(frozen=True)
class Acked:
    """One record that Kafka has acknowledged."""

    partition: int
    offset: int
    value: bytes | None
    steady: bool
    """One of the numbered events, all of them good; not something that the test sent beside them."""


class Load:
    """Sends `rate` events a second from a thread of its own, but for pauses, until its `with` block ends."""

    def __init__(self, lab: Lab, rate: float = 150, *, partition: int | None = None) -> None:
        self.lab, self.rate = lab, rate
        self.acked: list[Acked] = []
        self.failed: list[str] = []
        self._where = {} if partition is None else {"partition": partition}
        self._numbers = count()
        self._ended, self._paused, self._busy = threading.Event(), threading.Event(), threading.Lock()
        self._producer = Producer(
            {
                "bootstrap.servers": lab.settings.kafka_bootstrap,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "message.max.bytes": RECORD_LIMIT,
                "delivery.timeout.ms": 600_000,
                "topic.metadata.refresh.interval.ms": 2_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 2,
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def send(self, value: bytes | None, *, partition: int | None = None, at: datetime | None = None) -> None:
        """One record beside the steady ones, as it is; `at` is its timestamp, where the topic takes the producer's."""
        where = {} if partition is None else {"partition": partition}
        where |= {} if at is None else {"timestamp": int(at.timestamp() * 1000)}
        self._producer.produce(self.lab.topic, value, b"x", on_delivery=partial(self._delivered, False), **where)

    def flow(self, more: int, seconds: float = 120) -> None:
        """Wait until `more` further records are acknowledged."""
        wanted = len(self.acked) + more
        await_that(lambda: len(self.acked) >= wanted, f"{more} further records to be acknowledged", seconds)

    def stop(self) -> None:
        """Send nothing until `go_on`, and wait until Kafka has acknowledged everything."""
        with self._busy:
            self._paused.set()
        left = self._producer.flush(90)
        assert not left, f"{left} records were not acknowledged"
        assert not self.failed, f"Kafka refused {len(self.failed)} records: {self.failed[:1]}"

    def go_on(self) -> None:
        self._paused.clear()

    def _run(self) -> None:
        due, last = 0.0, time.monotonic()
        while not self._ended.wait(0.02):
            now = time.monotonic()
            due, last = due + (now - last) * self.rate, now
            with self._busy:
                due = 0.0 if self._paused.is_set() else due
                while due >= 1:
                    self._steady()
                    due -= 1
            self._producer.poll(0)

    def _steady(self) -> None:
        event, done = tick(next(self._numbers)), partial(self._delivered, True)
        self._producer.produce(self.lab.topic, encoded(event), event["kind"].encode(), on_delivery=done, **self._where)

    def _delivered(self, steady: bool, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acked.append(Acked(message.partition() or 0, message.offset() or 0, message.value(), steady))


def tick(number: int, /, *, age: timedelta = timedelta(), **other: object) -> dict[str, Any]:
    """A good event, `age` old; `other` replaces or adds fields."""
    at = (datetime.now(UTC) - age).isoformat()
    good = {"id": str(uuid.uuid4()), "number": number, "kind": KINDS[number % len(KINDS)], "size": number / 8, "at": at}
    return good | other


def encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()
