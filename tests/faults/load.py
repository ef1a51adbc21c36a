"""Steady load: numbered events with known ids, and the position at which Kafka acknowledged each."""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
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
    """Sends `rate` events a second from a thread of its own, until `stop`."""

    def __init__(self, lab: Lab, rate: float = 150, *, partition: int | None = None) -> None:
        self.lab, self.rate = lab, rate
        self.acked: list[Acked] = []
        self.failed: list[str] = []
        self._partition = partition
        self._sent = 0
        self._ended = threading.Event()
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

    def stop(self) -> None:
        """Send no more, and wait until Kafka has acknowledged everything."""
        self._ended.set()
        self._thread.join()
        left = self._producer.flush(60)
        assert not left, f"{left} records were not acknowledged"
        assert not self.failed, f"Kafka refused {len(self.failed)} records: {self.failed[:1]}"

    def send(self, value: bytes | None, *, partition: int | None = None) -> None:
        """One record beside the steady ones, as it is."""
        where = {} if partition is None else {"partition": partition}
        self._producer.produce(self.lab.topic, value, b"x", on_delivery=partial(self._delivered, False), **where)

    def flow(self, more: int, seconds: float = 120) -> int:
        """Wait until `more` further records are acknowledged; how many are then."""
        wanted = len(self.acked) + more
        await_that(lambda: len(self.acked) >= wanted, f"{more} further records to be acknowledged", seconds)
        return len(self.acked)

    def _run(self) -> None:
        began, where = time.monotonic(), {} if self._partition is None else {"partition": self._partition}
        while not self._ended.wait(0.02):
            for _ in range(int((time.monotonic() - began) * self.rate) - self._sent):
                event = tick(self._sent)
                done = partial(self._delivered, True)
                self._producer.produce(
                    self.lab.topic, encoded(event), event["kind"].encode(), on_delivery=done, **where
                )
                self._sent += 1
            self._producer.poll(0)

    def _delivered(self, steady: bool, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acked.append(Acked(message.partition() or 0, message.offset() or 0, message.value(), steady))


def tick(number: int, *, age: timedelta = timedelta(), **other: object) -> dict[str, Any]:
    """A good event, `age` old; `other` replaces or adds fields."""
    at = (datetime.now(UTC) - age).isoformat()
    good = {"id": str(uuid.uuid4()), "number": number, "kind": KINDS[number % len(KINDS)], "size": number / 8, "at": at}
    return good | other


def encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode()
