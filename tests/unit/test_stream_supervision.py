"""What supervision of the stream queries does when one of them, or what they need, fails."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from pyspark.errors import StreamingQueryException

from millrace.errors import ConfigError, TransientError
from spark_jobs.attempts import SET_APART, Attempt, Prerequisite
from spark_jobs.edges.health import Health
from spark_jobs.stream_app import QuerySpec
from spark_jobs.supervision import QueryFailed, Supervisor


def _raising(error: Exception) -> Callable[[object], dict[str, Exception]]:
    def prepare(_: object) -> dict[str, Exception]:
        raise error

    return prepare


class _Query:
    """A query that has ended, or runs."""

    def __init__(self, error: Exception | None) -> None:
        self.isActive, self._error = error is None, error

    def exception(self) -> Exception | None:
        return self._error


def _fail(query: Any, text: str) -> None:
    query.isActive, query._error = False, StreamingQueryException(text)


class _Fence:
    """Keeps what is told to PostgreSQL, unless that is away."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.open: list[tuple[str, str]] = []
        self.lease = SimpleNamespace(group="ours")
        self.away: Exception | None = None
        self.asked = 0

    def run(self, work: Callable[[Any], object]) -> object:
        self.asked += 1
        if self.away:
            raise self.away
        return work(SimpleNamespace(execute=self._execute, cursor=self._cursor))

    def _cursor(self, **_: object) -> Any:
        found = [SimpleNamespace(subject=subject, run_id=group) for subject, group in self.open]
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
    """So does one that is gone, at once; another group's alerts are not ours."""
    supervisor = _supervisor([_Query(None)], "stream.m")
    fence: Any = supervisor.app.fence
    fence.open = [("stream.m", "ours"), ("stream.gone", "ours"), ("stream.theirs", "another")]
    _round(supervisor)
    _round(supervisor)
    assert [row["subject"] for row in fence.told] == ["stream.gone"]
    supervisor.running["stream.m"].since -= 61
    _round(supervisor)
    assert [row["subject"] for row in fence.told] == ["stream.gone", "stream.m"]


def test_what_is_tried_for_days_is_tried_still() -> None:
    attempt = Attempt(failures=5000)
    assert attempt.failed() == attempt.failed() <= SET_APART


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
    supervisor, landing, live = _supervisor([_Query(None)]), _Query(None), iter([_Query(None), _Query(None)])
    others = [_spec("landing.y", lambda: landing), _spec("live.x"), _spec("live.y", lambda: next(live))]
    supervisor.specs = [*supervisor.specs, *others]
    supervisor.tables.prepare = lambda running: seen.append(sorted(running)) or {}  # type: ignore[func-returns-value]
    _round(supervisor)
    _fail(landing, "KAFKA_DATA_LOSS")
    _round(supervisor)
    assert supervisor.tables.ready, "landing needs none"
    _fail(supervisor.running["live.y"].query, "UNKNOWN_TABLE")
    _round(supervisor)
    assert not supervisor.tables.ready
    supervisor.attempts["live.y"].not_before = 0
    _round(supervisor)
    assert seen == [["landing.x", "landing.y"], ["landing.x", "live.x"]], "who writes live.x goes on meanwhile"


@pytest.mark.parametrize("text", ["millrace.errors.FencedError: taken over", "java.lang.OutOfMemoryError: Java heap"])
def test_no_query_goes_on_without_the_lease_or_without_memory(text: str) -> None:
    supervisor = _supervisor([_Query(StreamingQueryException(text))], "stream.m")
    with pytest.raises(QueryFailed):
        _round(supervisor)
