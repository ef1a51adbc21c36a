"""What landing hands to the producer of the dead-letter topic; no broker is asked."""

import base64
import json

import pytest
from confluent_kafka import Producer
from pyspark.sql import Row

from spark_jobs.edges import quarantine
from spark_jobs.edges.quarantine import LEFT_OUT, first_of_each

LIMIT = 100_000


class Recorder:
    """A real producer, without a broker; it notes what it was given."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes | None, bytes | None, dict[str, str | bytes | None]]] = []
        self._producer = Producer({"bootstrap.servers": "127.0.0.1:1", "message.max.bytes": LIMIT, "log_level": 0})

    def produce(self, topic: str, value: bytes | None, key: bytes | None, headers: list, on_delivery: object) -> None:
        self._producer.produce(topic, value, key, headers=headers)
        self._producer.purge()
        self.taken.append((value, key, dict(headers)))


def row(value: bytes | None, key: bytes | None = b"k", **headers: bytes | None) -> Row:
    shown = [
        {"key": k} | ({"value": base64.b64encode(v).decode()} if v is not None else {}) for k, v in headers.items()
    ]
    return Row(
        value=value, key=key, headers=json.dumps(shown) if headers else None, reason="too odd", stage="landing",
        kafka_topic="events", kafka_partition=1, kafka_offset=2,
    )  # fmt: skip


def produced(one: Row) -> tuple[bytes | None, bytes | None, dict[str, str | bytes | None]]:
    recorder = Recorder()
    quarantine._produce(recorder, "events.dlq", one, [])  # type: ignore[arg-type]
    return recorder.taken[0]


def test_the_record_goes_as_it_came_and_says_why() -> None:
    value, key, headers = produced(row(b"\xff{", trace=b"\x00\xff", empty=None))
    assert (value, key) == (b"\xff{", b"k")
    assert headers["trace"] == b"\x00\xff"
    assert headers["empty"] is None
    assert headers["millrace.reason"] == "too odd"
    assert headers["millrace.offset"] == "2"


@pytest.mark.parametrize(
    "one",
    [row(b"x" * LIMIT), row(None, h=b"x" * LIMIT), row(None, None, h=b"x" * LIMIT)],
    ids=["value", "headers", "headers alone"],
)
def test_what_is_too_large_for_the_topic_goes_without_its_content(one: Row) -> None:
    value, key, headers = produced(one)
    assert (value, key) == (None, None)
    assert LEFT_OUT in headers
    assert headers["millrace.offset"] == "2"


@pytest.mark.parametrize(
    ("sizes", "firsts"),
    [
        ([], []),
        ([5], [0]),
        ([4, 4, 4], [0, 2]),
        ([1, 1, 10, 1, 1], [0, 2, 3]),
        ([30, 30, 1, 9, 1], [0, 1, 2, 4]),
        ([0] * 9, [0]),
    ],
)
def test_a_portion_holds_as_much_as_it_may_and_at_least_one_record(sizes: list[int], firsts: list[int]) -> None:
    placed = [((0, offset), size) for offset, size in enumerate(sizes)]
    assert first_of_each(placed, 10) == [(0, offset) for offset in firsts]
