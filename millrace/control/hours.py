"""Which run of a DAG works for which hours, where one takes those of its neighbours too."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from psycopg import Connection

from millrace.intervals import Interval

_FORGOTTEN_AFTER = timedelta(days=1)
_DONE_FOR = timedelta(hours=1)
"""So long the run of an hour may come after the one that did its work; later it is asked for something new."""


@contextmanager
def one_at_a_time(conn: Connection, dag_id: str) -> Iterator[None]:
    """No other run of the DAG takes hours meanwhile; what the block writes is written whole, or not at all."""
    with conn.transaction():
        conn.execute("SET LOCAL statement_timeout = '5min'")
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"hours of {dag_id}",))
        yield


def read_taken(conn: Connection, dag_id: str) -> dict[datetime, str]:
    """By start of the hour, the run that took it."""
    found = conn.execute(
        "SELECT interval_start, taken_by FROM ops.hours_taken WHERE dag_id = %s AND taken_at > now() - %s",
        (dag_id, _FORGOTTEN_AFTER),
    )
    return dict(found.fetchall())


def write_taken(conn: Connection, dag_id: str, run_id: str, hours: Collection[datetime]) -> None:
    """From now on `run_id` works for these hours, and for no others."""
    conn.execute(
        "DELETE FROM ops.hours_taken WHERE dag_id = %s AND (taken_by = %s OR taken_at < now() - %s)",
        (dag_id, run_id, _FORGOTTEN_AFTER),
    )
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


def has_done(conn: Connection, dag_id: str, run_id: str, sources: Collection[str], hour: Interval) -> bool:
    """Whether the run, since it took the hour, wrote for each source a line of the ledger that covers it and balances.

    False where that is long ago.
    """
    found = conn.execute(
        """SELECT count(DISTINCT l.source)
           FROM ops.ledger AS l JOIN ops.hours_taken AS t ON t.taken_by = l.run_id AND l.written_at >= t.taken_at
           WHERE t.dag_id = %s AND t.interval_start = %s AND l.run_id = %s AND l.source = ANY(%s)
             AND l.interval_start <= %s AND l.interval_end >= %s
             AND cardinality(l.problems) = 0 AND l.written_at > now() - %s""",
        (dag_id, hour.start, run_id, list(sources), hour.start, hour.end, _DONE_FOR),
    ).fetchone()
    assert found is not None
    return bool(found[0] == len(sources))


def refined_until(conn: Connection, sources: Collection[str]) -> datetime | None:
    """Up to where the schedule's runs, which leave out no hour, have refined all of the sources, by the ledger.

    None where it has refined none of them yet; a source without a line is new, and does not count.
    """
    found = conn.execute(
        """SELECT min(until) FROM (
             SELECT max(interval_end) AS until FROM ops.ledger
             WHERE source = ANY(%s) AND starts_with(run_id, 'scheduled__') GROUP BY source) AS each""",
        (list(sources),),
    ).fetchone()
    assert found is not None
    until: datetime | None = found[0]
    return until
