"""In which order the ledger is read: what a limit cuts off are the oldest intervals."""

import uuid
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from millrace.control.ledger import Entry, read_entries, write_entry
from millrace.intervals import Interval

HOUR = timedelta(hours=1)


def test_an_interval_comes_before_its_hours(conn: Connection) -> None:
    """It alone has the copies: where they do not balance, it is what people must see."""
    source, start = f"source-{uuid.uuid4()}", datetime(2026, 1, 31, 9, tzinfo=UTC)
    whole, before = Interval(start, start + 3 * HOUR), Interval(start - HOUR, start)
    counts = {"kafka_acked": 2, "bronze": 2, "quarantined": 0, "silver": 2, "duplicates": 0, "rejected": 0}
    for interval in (before, *whole.by_hours(), whole):
        write_entry(conn, Entry(source, interval.start, interval.end, "run", **counts))  # type: ignore[arg-type]
    read = [entry.interval for entry in read_entries(conn, source)]
    assert read == [whole, *reversed(whole.by_hours()), before]
    assert [entry.interval for entry in read_entries(conn, source, limit=1)] == [whole]
