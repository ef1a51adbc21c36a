"""How many records an interval holds, where a transaction has left offsets that are no records."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from confluent_kafka import KafkaError, KafkaException

from millrace.completeness import _read_through
from millrace.errors import TransientError


@dataclass(frozen=True)
class Message:
    """A record, the end of a partition, or an error."""

    at: int
    number: int = -1
    code: int | None = None

    def partition(self) -> int:
        return self.at

    def offset(self) -> int:
        return self.number

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


class Reader:
    """Gives out messages in batches of two, as a consumer does that skips what was never committed."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.messages = list(messages)
        self.paused: set[int] = set()

    def assign(self, partitions: list) -> None:
        self.assigned = {p.partition: p.offset for p in partitions}

    def pause(self, partitions: list) -> None:
        self.paused |= {p.partition for p in partitions}

    def consume(self, *_: object, **__: object) -> list[Message]:
        batch, self.messages = self.messages[:2], self.messages[2:]
        return batch


def records(partition: int, *offsets: int) -> list[Message]:
    return [Message(partition, offset) for offset in offsets]


END = KafkaError._PARTITION_EOF


def test_offsets_that_are_no_records_do_not_count():
    reader = Reader([*records(0, 5, 6, 9, 10), *records(1, 0), Message(1, code=END)])
    assert _read_through(reader, "t", {0: (5, 10), 1: (0, 3), 2: (4, 4)}) == 4  # type: ignore[arg-type]
    assert reader.assigned == {0: 5, 1: 0}
    assert reader.paused >= {0, 1}


def test_it_ends_at_the_interval_although_the_topic_goes_on():
    assert _read_through(Reader(records(0, 5, 6, 7, 8, 9)), "t", {0: (5, 7)}) == 2  # type: ignore[arg-type]


def test_a_transaction_at_the_end_is_passed():
    assert _read_through(Reader(records(0, 5, 20)), "t", {0: (5, 7)}) == 1  # type: ignore[arg-type]


def test_a_topic_that_falls_silent_is_an_outage(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("millrace.completeness._TIMEOUT", 1.0)
    with pytest.raises(TransientError, match="gave no record of t"):
        _read_through(Reader(records(0, 5)), "t", {0: (5, 7)})  # type: ignore[arg-type]


def test_an_error_of_kafka_is_told():
    with pytest.raises(KafkaException):
        _read_through(Reader([Message(0, code=KafkaError._TRANSPORT)]), "t", {0: (5, 7)})  # type: ignore[arg-type]
