"""Producing to Kafka from the driver: idempotent, acknowledged by all replicas, and waited for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException, Message, Producer

from millrace.errors import TransientError
from millrace.kafka import client_settings
from millrace.settings import Settings

Headers = Sequence[tuple[str, str | bytes | None]]
_DELIVERY_SECONDS = 60


@dataclass(frozen=True)
class Outgoing:
    """A record to send."""

    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Delivered:
    """Where a record lies, or why it does not."""

    partition: int | None = None
    offset: int | None = None
    error: str | None = None


def open_producer(settings: Settings, largest: int) -> Producer:
    """An idempotent producer, which waits for all replicas; `largest`: bytes of a record with its headers."""
    return Producer(
        client_settings(settings)
        | {
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "message.max.bytes": largest,
            "delivery.timeout.ms": _DELIVERY_SECONDS * 1000,
        }
    )


def send(producer: Producer, topic: str, records: Sequence[Outgoing]) -> list[Delivered]:
    """Produce and wait for every acknowledgement; what became of each record, in order."""
    outcomes = [Delivered(error="not acknowledged in time")] * len(records)

    def delivered(number: int) -> Callable[[object, Message], None]:
        def note(error: object, message: Message) -> None:
            done = Delivered(error=str(error)) if error else Delivered(message.partition(), message.offset())
            outcomes[number] = done

        return note

    for number, record in enumerate(records):
        try:
            _enqueue(producer, topic, record, delivered(number))
        except KafkaException as error:
            outcomes[number] = Delivered(error=str(error))
    producer.flush(_DELIVERY_SECONDS * 1.5)
    return outcomes


def refuse_failures(topic: str, outcomes: Sequence[Delivered]) -> None:
    """Raise TransientError when a record was not acknowledged."""
    failed = [outcome.error for outcome in outcomes if outcome.error]
    if failed:
        raise TransientError(f"{len(failed)} of {len(outcomes)} records did not reach topic {topic}: {failed[0]}")


def _enqueue(producer: Producer, topic: str, record: Outgoing, done: Callable[[object, Message], None]) -> None:
    while True:
        try:
            producer.produce(topic, record.value, record.key, headers=list(record.headers), on_delivery=done)
            return
        except BufferError:
            producer.poll(1)
