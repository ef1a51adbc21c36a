"""A Kafka that asks for TLS and a password is a matter of settings, for every client that Millrace has."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from millrace.completeness import offset_bounds
from millrace.kafka import client_settings, spark_options
from millrace.settings import Settings, read_settings
from millrace.topics import TopicSpec, admin, ensure_topics
from simulators.run import connect
from spark_jobs.edges.producing import Outgoing, open_producer, send
from tests.spark.secured_broker import secured_broker

TOPIC = "guarded"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with secured_broker(read_settings(), tmp_path_factory.mktemp("secured")) as settings:
        ensure_topics(admin(settings), [TopicSpec(TOPIC, 1, 1)])
        yield settings


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_every_client_gets_in(secured: Settings, spark: SparkSession, mechanism: str):
    settings = secured.model_copy(update={"kafka_sasl_mechanism": mechanism})
    before = offset_bounds(settings, TOPIC)[0][1]
    [sent] = send(open_producer(settings, 10_000), TOPIC, [Outgoing(b"k", mechanism.encode(), ())])
    assert sent.error is None
    assert offset_bounds(settings, TOPIC)[0][1] == before + 1
    assert connect(client_settings(settings), TOPIC).list_topics(timeout=10).topics[TOPIC].error is None
    records = spark.read.format("kafka").options(**spark_options(settings), subscribe=TOPIC).load()
    found = records.selectExpr("CAST(value AS STRING)").collect()
    assert [row[0] for row in found][-1] == mechanism


def test_a_wrong_password_is_refused(secured: Settings, spark: SparkSession):
    wrong = secured.model_copy(update={"kafka_password": type(secured.kafka_password)("guessed")})
    with pytest.raises(KafkaException):
        admin(wrong).list_topics(timeout=3)
    with pytest.raises(PySparkException, match=r"(?i)authentication") as refused:
        spark.read.format("kafka").options(**spark_options(wrong), subscribe=TOPIC).load().collect()
    assert "guessed" not in str(refused.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(secured: Settings):
    with pytest.raises(KafkaException):
        admin(secured.model_copy(update={"kafka_ca": ""})).list_topics(timeout=3)


def test_a_password_without_a_user_is_a_mistake():
    with pytest.raises(ValueError, match="expected MILLRACE_KAFKA_USER and MILLRACE_KAFKA_PASSWORD with it"):
        Settings(kafka_security="SASL_SSL", kafka_password="secret")
