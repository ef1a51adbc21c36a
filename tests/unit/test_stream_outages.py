"""What the stream application does when a service is away: it waits, tries again, and gives up only on what stays."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from pyspark.errors import StreamingQueryException

from millrace.contracts.catalog import read_catalog
from millrace.errors import ConfigError, FencedError, TransientError
from millrace.settings import ROOT
from spark_jobs.attempts import Attempt, Prerequisite
from spark_jobs.edges.live_table import around
from spark_jobs.edges.passing import cause, passes
from spark_jobs.edges.retention import TopicCut, lost_records, refuse_cut_topic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment", True),
        ("java.io.IOException: No space left on device", True),
        ("java.net.ConnectException: Connection refused", True),
        ("millrace.errors.TransientError: 3 records did not reach topic x", True),
        ("software.amazon.awssdk.services.s3.model.S3Exception: slow down", True),
        ("Stream closed\n=== Streaming Query ===", True),
        ("java.lang.ArithmeticException\n=== Streaming Query ===\nFilter text = 'Connection reset'", False),
        ("EOFException occurred while reading the port number from pyspark.daemon's stdout", True),
        ("org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)", True),
        ("java.lang.IllegalStateException: Some data may have been lost because", False),
        ("org.apache.kafka.clients.consumer.OffsetOutOfRangeException: java.io.IOException", False),
        ("millrace.errors.FencedError: the lease is no longer ours; TransientError before it", False),
        ("spark_jobs.live.TableWentBack: live.x: ClickHouse came back without batch 7; starting again", True),
        ("java.lang.NullPointerException", False),
        ("[DELTA_FAILED_TO_MERGE_FIELDS] java.io.IOException", False),
    ],
)
def test_sparks_errors_are_told_apart_by_their_causes(text: str, expected: bool) -> None:
    assert passes(StreamingQueryException(text)) is expected


def test_our_own_errors_are_told_apart_by_their_kind() -> None:
    assert passes(TransientError("away"))
    assert passes(psycopg.OperationalError("server closed the connection"))
    assert not passes(ConfigError("wrong"))
    assert not passes(FencedError("another driver"))


def test_attempts_come_ever_later_up_to_a_limit() -> None:
    attempt = Attempt()
    assert [attempt.failed() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert not attempt.due


def _raising(error: Exception) -> Callable[[object], dict[str, Exception]]:
    def prepare(_: object) -> dict[str, Exception]:
        raise error

    return prepare


def test_a_prerequisite_is_tried_again_and_an_error_that_stays_is_raised() -> None:
    answers: list[Exception | None] = [TransientError("away"), None]

    def prepare(_: object) -> dict[str, Exception]:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return {}

    needed = Prerequisite("Kafka", prepare)
    assert needed.look() == "Kafka: away"
    assert needed.look() is None, "not due yet"
    assert not needed.ready
    needed.attempt = Attempt()
    assert needed.look() is None
    assert needed.ready
    with pytest.raises(ConfigError):
        Prerequisite("x", _raising(ConfigError("wrong"))).look()


def test_each_partition_keeps_a_window_around_its_last_record() -> None:
    noon, reach = datetime(2026, 1, 1, 12, tzinfo=UTC), timedelta(minutes=6)
    idle, busy, also_busy = noon - timedelta(hours=5), noon, noon - timedelta(minutes=4)
    assert around([busy, idle, also_busy], reach) == [
        (idle - reach, idle + reach),
        (also_busy - reach, busy + reach),
    ]


def test_records_are_lost_where_kafka_begins_after_the_position() -> None:
    bounds = {0: (5, 20), 1: (6, 20), 2: (12, 20), 3: (4, 20)}
    assert lost_records({0: 5, 1: 7, 2: 9}, bounds) == {2: (9, 12)}
    assert lost_records({}, bounds) == {}, "a query that never read begins with what is there"


def test_a_query_that_has_read_more_than_its_topic_holds_says_so() -> None:
    source = read_catalog(ROOT).source("user_events")
    refuse_cut_topic("landing.x", source, {0: 20}, {0: (0, 20), 1: (0, 3)})
    with pytest.raises(
        TopicCut, match="partition 0: at 20, the topic ends at 3; partition 2: at 1, the topic ends at 0"
    ):
        refuse_cut_topic("landing.x", source, {0: 20, 1: 3, 2: 1}, {0: (0, 3), 1: (0, 3)})


def test_the_cause_is_one_line_out_of_pages() -> None:
    text = "raised by the Python Proxy. Return Message: Traceback:\n  File x\nmillrace.errors.TransientError: gone\n"
    assert cause(StreamingQueryException(text)) == "millrace.errors.TransientError: gone"
    assert cause(StreamingQueryException("Stream closed\n=== Streaming Query ===\n+- a plan")) == "Stream closed"
    assert cause(TransientError("Kafka is away")) == "Kafka is away"
    assert cause(ValueError()) == "ValueError"
