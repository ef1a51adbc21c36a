"""What supervision of the stream queries does when one of them fails."""

from typing import Any

import psycopg
import pytest
from pyspark.errors import StreamingQueryException

from millrace.errors import TransientError
from spark_jobs.attempts import SET_APART, Attempt
from spark_jobs.supervision import QueryFailed
from tests.unit.supervised_queries import Query, one_round, spec, supervisor_of


def test_a_query_that_a_service_ended_starts_again_later() -> None:
    broken = Query(StreamingQueryException("org.apache.kafka.common.errors.TimeoutException"))
    supervisor = supervisor_of([broken, Query(None)])
    one_round(supervisor)
    assert not supervisor.running
    assert "landing.x waits" in (supervisor.app.health.note() or "")
    one_round(supervisor)
    assert not supervisor.running, "its next attempt is not due"
    supervisor.attempts["landing.x"].not_before = 0
    one_round(supervisor)
    assert "landing.x" in supervisor.running


def test_a_query_that_a_bug_ended_ends_the_driver() -> None:
    supervisor = supervisor_of([Query(StreamingQueryException("java.lang.NullPointerException"))])
    with pytest.raises(QueryFailed, match="NullPointer"):
        one_round(supervisor)


def test_a_landing_that_fails_for_good_leaves_the_others_be_until_it_is_the_last() -> None:
    lost = StreamingQueryException("KAFKA_DATA_LOSS")
    supervisor = supervisor_of([Query(lost)])
    others = [Query(None)]
    supervisor.specs = [
        *supervisor.specs,
        spec("landing.y", lambda: others[-1]),
    ]
    one_round(supervisor)
    assert list(supervisor.running) == ["landing.y"]
    assert "landing.x waits: failed: KAFKA_DATA_LOSS" in (supervisor.app.health.note() or "")
    others[-1].isActive, others[-1]._error = False, lost
    with pytest.raises(QueryFailed, match=r"landing\.y"):
        one_round(supervisor)


def test_a_model_that_fails_for_good_is_in_nobodys_way() -> None:
    failed = Query(StreamingQueryException("[ARITHMETIC_OVERFLOW] long overflow"))
    supervisor = supervisor_of([failed, Query(None)], "stream.m")
    one_round(supervisor)
    fence: Any = supervisor.app.fence
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "stream.m")]
    assert "stream.m waits: failed: [ARITHMETIC_OVERFLOW]" in (supervisor.app.health.note() or "")
    supervisor.attempts["stream.m"].not_before = 0
    one_round(supervisor)
    assert "stream.m" in supervisor.running
    supervisor.running["stream.m"].since -= 61
    one_round(supervisor)
    assert fence.told[1]["by"]


@pytest.mark.parametrize("away", [TransientError("did not let us in"), psycopg.OperationalError("closed")])
def test_what_the_control_plane_did_not_hear_is_told_once_it_answers(away: Exception) -> None:
    failed = Query(StreamingQueryException("[ARITHMETIC_OVERFLOW] long overflow"))
    supervisor = supervisor_of([failed, Query(None)], "stream.m")
    fence: Any = supervisor.app.fence
    fence.away = away
    one_round(supervisor)
    asked = fence.asked
    one_round(supervisor)
    assert fence.asked == asked, "its next attempt is not due"
    fence.away, supervisor.alerts._attempt.not_before = None, 0
    one_round(supervisor)
    assert [(row["kind"], row["subject"]) for row in fence.told] == [("query_failed", "stream.m")]
    supervisor.attempts["stream.m"].not_before = 0
    one_round(supervisor)
    fence.away = away
    supervisor.running["stream.m"].since -= 61
    one_round(supervisor)
    fence.away, supervisor.alerts._attempt.not_before = None, 0
    one_round(supervisor)
    assert fence.told[1]["by"], "that it runs again is told too"
    one_round(supervisor)
    assert len(fence.told) == 2


def test_a_query_that_runs_well_resolves_the_alert_of_an_earlier_driver() -> None:
    """So does one that is gone, at once; another group's alerts are not ours."""
    supervisor = supervisor_of([Query(None)], "stream.m")
    fence: Any = supervisor.app.fence
    fence.open = [("stream.m", "ours"), ("stream.gone", "ours"), ("stream.theirs", "another")]
    one_round(supervisor)
    one_round(supervisor)
    assert [row["subject"] for row in fence.told] == ["stream.gone"]
    supervisor.running["stream.m"].since -= 61
    one_round(supervisor)
    assert [row["subject"] for row in fence.told] == ["stream.gone", "stream.m"]


def test_what_is_tried_for_days_is_tried_still() -> None:
    attempt = Attempt(failures=5000)
    assert attempt.failed() == attempt.failed() <= SET_APART


@pytest.mark.parametrize("text", ["millrace.errors.FencedError: taken over", "java.lang.OutOfMemoryError: Java heap"])
def test_no_query_goes_on_without_the_lease_or_without_memory(text: str) -> None:
    supervisor = supervisor_of([Query(StreamingQueryException(text))], "stream.m")
    with pytest.raises(QueryFailed):
        one_round(supervisor)
