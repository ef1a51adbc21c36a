"""Which run works for which hours, on PostgreSQL."""

import uuid
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from psycopg import Connection

from millrace.control.database import connect
from millrace.control.hours import give_back, has_done, one_at_a_time, read_taken, refined_until, write_taken
from millrace.control.ledger import Entry, write_entry
from millrace.intervals import Interval
from tests.stack import TestStack

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
HOURS = [START + timedelta(hours=n) for n in range(3)]


@pytest.fixture
def dag() -> str:
    return f"dag-{uuid.uuid4()}"


def test_the_last_to_take_an_hour_has_it_and_only_that_one_gives_it_back(conn: Connection, dag: str) -> None:
    write_taken(conn, dag, "a", HOURS)
    write_taken(conn, dag, "b", HOURS[1:2])
    give_back(conn, dag, "a", HOURS[1])
    give_back(conn, dag, "a", HOURS[2])
    assert read_taken(conn, dag) == {HOURS[0]: "a", HOURS[1]: "b"}
    assert read_taken(conn, "another") == {}


def test_who_takes_hours_again_leaves_those_of_before(conn: Connection, dag: str) -> None:
    write_taken(conn, dag, "a", HOURS)
    write_taken(conn, dag, "a", HOURS[:1])
    assert read_taken(conn, dag) == {HOURS[0]: "a"}


def test_what_was_taken_long_ago_is_forgotten(conn: Connection, dag: str) -> None:
    write_taken(conn, dag, "a", HOURS)
    conn.execute("UPDATE ops.hours_taken SET taken_at = now() - INTERVAL '25 hours' WHERE dag_id = %s", (dag,))
    write_taken(conn, dag, "b", HOURS[:1])
    assert read_taken(conn, dag) == {HOURS[0]: "b"}


def test_one_run_at_a_time_takes_hours(stack: TestStack, conn: Connection, dag: str) -> None:
    entered, seen = Event(), []

    def another() -> None:
        with connect(stack.settings) as second:
            entered.set()
            with one_at_a_time(second, dag):
                seen.append(read_taken(second, dag))

    with one_at_a_time(conn, dag):
        thread = Thread(target=another)
        thread.start()
        assert entered.wait(10)
        write_taken(conn, dag, "a", HOURS)
    thread.join(10)
    assert seen == [dict.fromkeys(HOURS, "a")]


def test_an_hour_is_done_when_every_source_balances_in_it(conn: Connection, dag: str) -> None:
    run, hour = f"run-{uuid.uuid4()}", Interval(HOURS[1], HOURS[2])

    def write(source: str, silver: int, *, ago: timedelta = timedelta()) -> None:
        counts = {"kafka_acked": 2, "bronze": 2, "quarantined": 0, "duplicates": 0, "rejected": 0}
        at = datetime.now(UTC) - ago
        write_entry(conn, Entry(source, HOURS[0], HOURS[2], run, silver=silver, written_at=at, **counts))

    def done(*sources: str, run: str = run, hour: Interval = hour) -> bool:
        return has_done(conn, dag, run, sources, hour)

    one, other = f"one-{run}", f"other-{run}"
    write(one, silver=2, ago=timedelta(minutes=1))
    write_taken(conn, dag, run, HOURS)
    assert not done(one), "that was before it took the hours"
    write(one, silver=2)
    assert done(one)
    assert not done(one, other)
    write(other, silver=1)
    assert not done(one, other)
    write(other, silver=2)
    assert done(one, other)
    assert not done(one, run="another")
    assert not done(one, hour=Interval(HOURS[1], HOURS[2] + timedelta(hours=1)))
    conn.execute("UPDATE ops.hours_taken SET taken_at = now() - INTERVAL '3 hours' WHERE taken_by = %s", (run,))
    write(one, silver=2, ago=timedelta(hours=2))
    assert not done(one), "that was long ago"


def test_the_schedule_has_refined_up_to_where_its_runs_wrote_the_ledger_of_every_source(conn: Connection) -> None:
    one, other = (f"{name}-{uuid.uuid4()}" for name in ("one", "other"))

    def write(source: str, hour: int, run: str) -> None:
        counts = dict.fromkeys(("kafka_acked", "bronze", "quarantined", "silver", "duplicates", "rejected"), 0)
        write_entry(conn, Entry(source, HOURS[hour], HOURS[hour + 1], run, written_at=datetime.now(UTC), **counts))

    assert refined_until(conn, [one, other]) is None
    write(one, 0, "scheduled__a")
    assert refined_until(conn, [one, other]) == HOURS[1], "the other is new"
    write(one, 1, "manual__a")
    write(other, 1, "scheduled__b")
    assert refined_until(conn, [other]) == HOURS[2]
    assert refined_until(conn, [one, other]) == HOURS[1], "nobody knows what lies between manual runs"
