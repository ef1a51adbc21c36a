"""Which run of a DAG works for which hours, where one takes those of its neighbours too."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from psycopg import Connection

from millrace.intervals import Interval

_FORGOTTEN_AFTER = timedelta(days=1)
"""By then a run that has been waiting for its turn all the while does its own work rather than trust what was done."""


@contextmanager
def one_at_a_time(conn: Connection, dag_id: str) -> Iterator[None]:
    """No other run of the DAG takes hours meanwhile; what the block writes is written whole, or not at all."""
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"hours of {dag_id}",))
        yield


def read_taken(conn: Connection, dag_id: str) -> dict[datetime, str]:
    """By start of the hour, the run that took it."""
    conn.execute("DELETE FROM ops.hours_taken WHERE taken_at < now() - %s", (_FORGOTTEN_AFTER,))
    found = conn.execute("SELECT interval_start, taken_by FROM ops.hours_taken WHERE dag_id = %s", (dag_id,))
    return dict(found.fetchall())


def write_taken(conn: Connection, dag_id: str, run_id: str, hours: Collection[datetime]) -> None:
    """From now on `run_id` works for these hours."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO ops.hours_taken (dag_id, interval_start, taken_by) VALUES (%s, %s, %s)
               ON CONFLICT (dag_id, interval_start)
               DO UPDATE SET taken_by = excluded.taken_by, taken_at = now()""",
            [(dag_id, hour, run_id) for hour in hours],
        )


def give_back(conn: Connection, dag_id: str, run_id: str, hour: datetime) -> None:
    """`run_id` has done the hour's work: who asks for the hour again has it done again."""
    conn.execute(
        "DELETE FROM ops.hours_taken WHERE dag_id = %s AND taken_by = %s AND interval_start = %s",
        (dag_id, run_id, hour),
    )


def has_balanced(conn: Connection, run_id: str, sources: Collection[str], interval: Interval) -> bool:
    """Whether the run wrote for each of the sources a line of the ledger that covers the interval, and balances."""
    found = conn.execute(
        """SELECT count(DISTINCT source) FROM ops.ledger
           WHERE run_id = %s AND source = ANY(%s) AND interval_start <= %s AND interval_end >= %s
             AND cardinality(problems) = 0""",
        (run_id, list(sources), interval.start, interval.end),
    ).fetchone()
    assert found is not None
    return bool(found[0] == len(sources))
