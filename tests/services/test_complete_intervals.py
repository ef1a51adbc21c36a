"""When an hour is complete, on a broker: not before a transaction that was open at its end has ended."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from psycopg import Connection

from millrace import names
from millrace.completeness import CLOCK_SKEW, missing
from millrace.contracts.catalog import read_catalog
from millrace.contracts.source import Source
from millrace.control.offsets import commit_offsets
from millrace.control.topics import remember_topic
from millrace.settings import ROOT
from millrace.topics import admin, topic_id
from tests.services.platform import await_that
from tests.stack import TestStack


@pytest.fixture
def source(stack: TestStack) -> Source:
    """A source of one partition, with a topic of its own."""
    stack.start("kafka")
    some, name = read_catalog(ROOT).source("user_events"), f"complete-{uuid.uuid4()}"
    new = NewTopic(name, num_partitions=1, config={"message.timestamp.type": "LogAppendTime"})
    kafka = admin(stack.settings)
    kafka.create_topics([new])[name].result(30)
    topic = some.topic.model_copy(update={"name": name, "partitions": 1})
    return some.model_copy(update={"name": name.replace("-", "_"), "topic": topic})


def producer(stack: TestStack, **options: str) -> Producer:
    return Producer({"bootstrap.servers": stack.settings.kafka_bootstrap} | options)


def passed(end: datetime) -> None:
    await_that(lambda: datetime.now(UTC) >= end + CLOCK_SKEW, "the interval to be over")


def test_an_open_transaction_is_waited_for(stack: TestStack, conn: Connection, source: Source) -> None:
    writer = producer(stack, **{"transactional.id": source.name})
    writer.init_transactions(30)
    writer.begin_transaction()
    writer.produce(source.topic.name, b"of the hour")
    writer.flush(30)
    end = datetime.now(UTC) + timedelta(milliseconds=100)
    passed(end)
    after = producer(stack)
    after.produce(source.topic.name, b"of the next hour")
    after.flush(30)
    commit_offsets(conn, source.name, {0: 0})  # as far as a reader of committed records gets
    assert missing(stack.settings, conn, source, end) == {0: 1}
    writer.commit_transaction(30)
    assert missing(stack.settings, conn, source, end) == {0: 1}, "landing has yet to read it"
    commit_offsets(conn, source.name, {0: 1})
    assert missing(stack.settings, conn, source, end) == {}


def test_offsets_of_a_topic_that_is_gone_prove_nothing(stack: TestStack, conn: Connection, source: Source) -> None:
    query, topic = names.landing_query(source.name), source.topic.name
    writer = producer(stack)
    writer.produce(topic, b"x")
    writer.flush(30)
    end = datetime.now(UTC) + timedelta(milliseconds=100)
    passed(end)
    commit_offsets(conn, source.name, {0: 1000})
    remember_topic(conn, query, topic, "that of another topic")
    assert missing(stack.settings, conn, source, end) == {0: 1}
    found = topic_id(admin(stack.settings), topic)
    assert found is not None
    remember_topic(conn, query, topic, found)
    assert missing(stack.settings, conn, source, end) == {}
