"""What the stream application does when a service is away: it waits, tries again, and gives up only on what stays."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from pyspark.errors import StreamingQueryException

from millrace.contracts.catalog import read_catalog
from millrace.errors import ConfigError, FencedError, TransientError
from millrace.settings import ROOT
from spark_jobs.attempts import Attempt, Prerequisite
from spark_jobs.edges.health import Health
from spark_jobs.edges.live_table import around
from spark_jobs.edges.passing import cause, passes
from spark_jobs.edges.retention import TopicCut, lost_records, refuse_cut_topic
from spark_jobs.stream_app import QuerySpec
from spark_jobs.supervision import QueryFailed, Supervisor


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


class _Query:
    """A query that has ended, or runs."""

    def __init__(self, error: Exception | None) -> None:
        self.isActive, self._error = error is None, error

    def exception(self) -> Exception | None:
        return self._error


class _Fence:
    """Keeps what is told to PostgreSQL, unless that is away."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.open: list[str] = []
        self.away: Exception | None = None
        self.asked = 0

    def run(self, work: Callable[[Any], object]) -> object:
        self.asked += 1
        if self.away:
            raise self.away
        return work(SimpleNamespace(execute=self._execute, cursor=self._cursor))

    def _cursor(self, **_: object) -> Any:
        found = [SimpleNamespace(subject=subject) for subject in self.open]
        return nullcontext(SimpleNamespace(execute=lambda *_: SimpleNamespace(fetchall=lambda: found)))

    def _execute(self, _: str, row: dict[str, Any]) -> Any:
        self.told.append(row)
        return SimpleNamespace(rowcount=1)


def _supervisor(started: list[_Query], name: str = "landing.x") -> Supervisor:
    app: Any = SimpleNamespace(
        heartbeat=SimpleNamespace(desired="running", state="starting"), health=Health(), stopping=threading.Event(),
        fence=_Fence(),
    )  # fmt: skip
    waiting = iter(started)
    return Supervisor(
        app,
        [_spec(name, lambda: next(waiting))],
        Prerequisite("Kafka", lambda _: {}),
        Prerequisite("ClickHouse", lambda _: {}),
    )


def _spec(name: str, start: Callable[[], _Query] = lambda: _Query(None)) -> QuerySpec:
    return QuerySpec(name, name.partition(".")[2], start, needs_clickhouse=not name.startswith("landing."))  # type: ignore[arg-type]


def _round(supervisor: Supervisor) -> None:
    supervisor._go_on()
    supervisor.alerts.tell()


def test_a_query_that_a_service_ended_starts_again_later() -> None:
    broken = _Query(StreamingQueryException("org.apache.kafka.common.errors.TimeoutException"))
    supervisor = _supervisor([broken, _Query(None)])
    _round(supervisor)
    assert not supervisor.running
    assert "landing.x waits" in (supervisor.app.health.note() or "")
    _round(supervisor)
    assert not supervisor.running, "its next attempt is not due"
    supervisor.attempts["landing.x"].not_before = 0
    _round(supervisor)
    assert "landing.x" in supervisor.running


def test_a_query_that_a_bug_ended_ends_the_driver() -> None:
    supervisor = _supervisor([_Query(StreamingQueryException("java.lang.NullPointerException"))])
    with pytest.raises(QueryFailed, match="NullPointer"):
        _round(supervisor)


def test_a_landing_that_fails_for_good_leaves_the_others_be_until_it_is_the_last() -> None:
    lost = StreamingQueryException("KAFKA_DATA_LOSS")
    supervisor = _supervisor([_Query(lost)])
    others = [_Query(None)]
    supervisor.specs = [
        *supervisor.specs,
        _spec("landing.y", lambda: others[-1]),
    ]
    _round(supervisor)
    assert list(supervisor.running) == ["landing.y"]
    assert "landing.x waits: failed: KAFKA_DATA_LOSS" in (supervisor.app.health.note() or "")
    others[-1].isActive, others[-1]._error = False, lost
    with pytest.raises(QueryFailed, match=r"landing\.y"):
        _round(supervisor)


def test_a_model_that_fails_for_good_is_in_nobodys_way() -> None:
    failed = _Query(StreamingQueryException("[ARITHMETIC_OVERFLOW] long overflow"))
    supervisor = _supervisor([failed, _Query(None)], "stream.m")
    _round(supervisor)
    fence: Any = supervisor.app.fence
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "stream.m")]
    assert "stream.m waits: failed: [ARITHMETIC_OVERFLOW]" in (supervisor.app.health.note() or "")
    supervisor.attempts["stream.m"].not_before = 0
    _round(supervisor)
    assert "stream.m" in supervisor.running
    supervisor.running["stream.m"].since -= 61
    _round(supervisor)
    assert fence.told[1]["by"]


@pytest.mark.parametrize("away", [TransientError("did not let us in"), psycopg.OperationalError("closed")])
def test_what_the_control_plane_did_not_hear_is_told_once_it_answers(away: Exception) -> None:
    failed = _Query(StreamingQueryException("[ARITHMETIC_OVERFLOW] long overflow"))
    supervisor = _supervisor([failed, _Query(None)], "stream.m")
    fence: Any = supervisor.app.fence
    fence.away = away
    _round(supervisor)
    asked = fence.asked
    _round(supervisor)
    assert fence.asked == asked, "its next attempt is not due"
    fence.away, supervisor.alerts._attempt.not_before = None, 0
    _round(supervisor)
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "stream.m")]
    supervisor.attempts["stream.m"].not_before = 0
    _round(supervisor)
    fence.away = away
    supervisor.running["stream.m"].since -= 61
    _round(supervisor)
    fence.away, supervisor.alerts._attempt.not_before = None, 0
    _round(supervisor)
    assert fence.told[1]["by"], "that it runs again is told too"
    _round(supervisor)
    assert len(fence.told) == 2


def test_a_query_that_runs_well_resolves_the_alert_of_an_earlier_driver() -> None:
    supervisor = _supervisor([_Query(None)], "stream.m")
    fence: Any = supervisor.app.fence
    fence.open = ["stream.m", "stream.other"]
    _round(supervisor)
    assert not fence.told
    supervisor.running["stream.m"].since -= 61
    _round(supervisor)
    assert [row["subject"] for row in fence.told] == ["stream.m"]


def test_the_lake_goes_on_without_tables_that_cannot_be_made() -> None:
    supervisor = _supervisor([_Query(None)])
    supervisor.specs = [*supervisor.specs, _spec("live.x")]
    supervisor.tables.prepare = _raising(DatabaseError("not enough privileges", code=497))
    _round(supervisor)
    assert list(supervisor.running) == ["landing.x"]
    fence: Any = supervisor.app.fence
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "ClickHouse")]
    assert "ClickHouse waits: failed: not enough privileges" in (supervisor.app.health.note() or "")
    supervisor.tables.prepare = lambda _: {}
    _round(supervisor)
    assert "live.x" not in supervisor.running, "its next attempt is not due"
    supervisor.tables.attempt.not_before = 0
    _round(supervisor)
    assert list(supervisor.running) == ["landing.x", "live.x"]
    assert fence.told[1]["by"]
    assert supervisor.app.health.note() is None


def test_landing_begins_before_clickhouse_is_asked() -> None:
    seen: list[list[str]] = []
    supervisor = _supervisor([_Query(None)])
    supervisor.specs = [*supervisor.specs, _spec("live.x")]
    supervisor.tables.prepare = lambda running: seen.append(list(running)) or {}  # type: ignore[func-returns-value]
    _round(supervisor)
    assert seen == [["landing.x"]]


def test_topics_that_cannot_be_made_end_a_driver_that_lands_nothing() -> None:
    supervisor = _supervisor([_Query(None)])
    supervisor.topics.prepare = _raising(ConfigError("wrong"))
    with pytest.raises(ConfigError):
        _round(supervisor)


@pytest.mark.parametrize(("service", "others"), [("topics", []), ("tables", ["landing.x"])])
def test_a_source_that_a_service_refuses_is_left_out_alone(service: str, others: list[str]) -> None:
    supervisor = _supervisor([_Query(None)])
    supervisor.specs = [*supervisor.specs, _spec("landing.y"), _spec("live.x"), _spec("live.y")]
    needed: Prerequisite = getattr(supervisor, service)
    needed.prepare = lambda _: {"x": ConfigError("the registry refuses this version")}
    _round(supervisor)
    _round(supervisor)
    assert sorted(supervisor.running) == sorted([*others, "landing.y", "live.y"])
    left_out = sorted({"landing.x", "live.x"} - set(others))
    fence: Any = supervisor.app.fence
    assert sorted(row["subject"] for row in fence.told) == left_out
    needed.prepare = lambda _: {}
    _round(supervisor)
    assert not needed.ready, "nobody needs it yet"
    for name in left_out:
        supervisor.attempts[name].not_before = 0
    _round(supervisor)
    assert sorted(supervisor.running) == ["landing.x", "landing.y", "live.x", "live.y"]


def test_tables_are_asked_for_again_where_a_query_that_needs_them_failed() -> None:
    seen: list[list[str]] = []
    supervisor = _supervisor([_Query(None)])
    started = [_Query(None)]
    landing_y = [_Query(None), _Query(None)]
    supervisor.specs = [
        *supervisor.specs,
        _spec("landing.y", lambda: landing_y[0]),
        _spec("live.x"),
        _spec("live.y", lambda: started[-1]),
    ]
    supervisor.tables.prepare = lambda running: seen.append(sorted(running)) or {}  # type: ignore[func-returns-value]
    _round(supervisor)
    landing_y[0].isActive, landing_y[0]._error = False, StreamingQueryException("KAFKA_DATA_LOSS")
    _round(supervisor)
    assert supervisor.tables.ready, "landing needs none"
    started[-1].isActive, started[-1]._error = False, StreamingQueryException("UNKNOWN_TABLE")
    _round(supervisor)
    assert not supervisor.tables.ready
    supervisor.attempts["live.y"].not_before = 0
    started.append(_Query(None))
    _round(supervisor)
    assert seen == [["landing.x", "landing.y"], ["landing.x", "live.x"]]


@pytest.mark.parametrize("text", ["millrace.errors.FencedError: taken over", "java.lang.OutOfMemoryError: Java heap"])
def test_no_query_goes_on_without_the_lease_or_without_memory(text: str) -> None:
    supervisor = _supervisor([_Query(StreamingQueryException(text))], "stream.m")
    with pytest.raises(QueryFailed):
        _round(supervisor)


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
