"""What supervision of the stream queries does when topics or tables that they need cannot be made."""

from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from millrace.errors import ConfigError
from spark_jobs.attempts import Prerequisite
from tests.unit.supervised_queries import Query, fail, one_round, raising, spec, supervisor_of


def test_the_lake_goes_on_without_tables_that_cannot_be_made() -> None:
    supervisor = supervisor_of([Query(None)])
    supervisor.specs = [*supervisor.specs, spec("live.x")]
    supervisor.tables.prepare = raising(DatabaseError("not enough privileges", code=497))
    one_round(supervisor)
    assert list(supervisor.running) == ["landing.x"]
    fence: Any = supervisor.app.fence
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "ClickHouse")]
    assert "ClickHouse waits: failed: not enough privileges" in (supervisor.app.health.note() or "")
    supervisor.tables.prepare = lambda _: {}
    one_round(supervisor)
    assert "live.x" not in supervisor.running, "its next attempt is not due"
    supervisor.tables.attempt.not_before = 0
    one_round(supervisor)
    assert list(supervisor.running) == ["landing.x", "live.x"]
    assert fence.told[1]["by"]
    assert supervisor.app.health.note() is None


def test_landing_begins_before_clickhouse_is_asked() -> None:
    seen: list[list[str]] = []
    supervisor = supervisor_of([Query(None)])
    supervisor.specs = [*supervisor.specs, spec("live.x")]
    supervisor.tables.prepare = lambda running: seen.append(list(running)) or {}  # type: ignore[func-returns-value]
    one_round(supervisor)
    assert seen == [["landing.x"]]


def test_topics_that_cannot_be_made_end_a_driver_that_lands_nothing() -> None:
    supervisor = supervisor_of([Query(None)])
    supervisor.topics.prepare = raising(ConfigError("wrong"))
    with pytest.raises(ConfigError):
        one_round(supervisor)


@pytest.mark.parametrize(("service", "others"), [("topics", []), ("tables", ["landing.x"])])
def test_a_source_that_a_service_refuses_is_left_out_alone(service: str, others: list[str]) -> None:
    supervisor = supervisor_of([Query(None)])
    supervisor.specs = [*supervisor.specs, spec("landing.y"), spec("live.x"), spec("live.y")]
    needed: Prerequisite = getattr(supervisor, service)
    needed.prepare = lambda _: {"x": ConfigError("the registry refuses this version")}
    one_round(supervisor)
    one_round(supervisor)
    assert sorted(supervisor.running) == sorted([*others, "landing.y", "live.y"])
    left_out = sorted({"landing.x", "live.x"} - set(others))
    fence: Any = supervisor.app.fence
    assert sorted(row["subject"] for row in fence.told) == left_out
    needed.prepare = lambda _: {}
    one_round(supervisor)
    assert not needed.ready, "nobody needs it yet"
    for name in left_out:
        supervisor.attempts[name].not_before = 0
    one_round(supervisor)
    assert sorted(supervisor.running) == ["landing.x", "landing.y", "live.x", "live.y"]


def test_tables_are_asked_for_again_where_a_query_that_needs_them_failed() -> None:
    seen: list[list[str]] = []
    supervisor, landing, live = supervisor_of([Query(None)]), Query(None), iter([Query(None), Query(None)])
    others = [spec("landing.y", lambda: landing), spec("live.x"), spec("live.y", lambda: next(live))]
    supervisor.specs = [*supervisor.specs, *others]
    supervisor.tables.prepare = lambda running: seen.append(sorted(running)) or {}  # type: ignore[func-returns-value]
    one_round(supervisor)
    fail(landing, "KAFKA_DATA_LOSS")
    one_round(supervisor)
    assert supervisor.tables.ready, "landing needs none"
    fail(supervisor.running["live.y"].query, "UNKNOWN_TABLE")
    one_round(supervisor)
    assert not supervisor.tables.ready
    supervisor.attempts["live.y"].not_before = 0
    one_round(supervisor)
    assert seen == [["landing.x", "landing.y"], ["landing.x", "live.x"]], "who writes live.x goes on meanwhile"
