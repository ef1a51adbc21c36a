"""A stream model's results in their topic: all that a message can hold, and the names of those that it cannot."""

import json
import uuid

import pyarrow as pa
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import NewTopic

from millrace.topics import LARGEST_RESULT, admin
from spark_jobs.edges.model_results import ResultTopic
from tests.services.platform import await_that
from tests.stack import TestStack


@pytest.fixture
def topic(stack: TestStack) -> str:
    stack.start("kafka")
    name = f"results-{uuid.uuid4()}"
    kafka = admin(stack.settings)
    kafka.create_topics([NewTopic(name)])[name].result(30)
    return name


def values(stack: TestStack, topic: str, count: int) -> list[dict[str, str]]:
    settings = {"group.id": topic, "auto.offset.reset": "earliest", "fetch.message.max.bytes": 2 * LARGEST_RESULT}
    consumer = Consumer({"bootstrap.servers": stack.settings.kafka_bootstrap} | settings)
    consumer.subscribe([topic])
    found: list[dict[str, str]] = []

    def read() -> bool:
        if (message := consumer.poll(1)) is not None and message.value() is not None:
            found.append(json.loads(message.value()))
        return len(found) >= count

    await_that(read, f"{count} results", 30)
    consumer.close()
    return found


def test_one_that_is_too_large_does_not_stop_the_others(stack: TestStack, topic: str) -> None:
    largest = "x" * (LARGEST_RESULT - 2048)
    rows = pa.Table.from_pylist([{"page": page, "text": text} for page, text in [
        ("a", "short"), ("b", largest), ("c", largest + 4096 * "x"), ("d" * LARGEST_RESULT, "long key"), ("e", "last"),
    ]])  # fmt: skip
    left_out = ResultTopic(stack.settings, topic, ("page",)).send(rows)
    assert [key[:3] for key in left_out] == ["c", "ddd"]
    assert [(row["page"], len(row["text"])) for row in values(stack, topic, 3)] == [
        ("a", 5), ("b", len(largest)), ("e", 4)
    ]  # fmt: skip
