"""Records that Kafka deleted before they were read: a query stops there, until a person says that it may go on."""

from collections.abc import Mapping
from datetime import timedelta

from psycopg import Connection

GOOD_FOR = timedelta(hours=1)
"""How long a person's word holds: long enough for every query of the source to start, too short for the next loss."""


def accept_losses(conn: Connection, source: str, by: str, reason: str) -> None:
    """Let the queries of `source` go on from what Kafka still has."""
    conn.execute(
        "INSERT INTO ops.accepted_losses (source, accepted_by, reason) VALUES (%s, %s, %s)", (source, by, reason)
    )


def accepted_by(conn: Connection, source: str) -> str | None:
    """Who said a moment ago that losses of `source` are accepted; None when nobody did."""
    row = conn.execute(
        "SELECT accepted_by FROM ops.accepted_losses WHERE source = %s AND at > now() - %s ORDER BY at DESC LIMIT 1",
        (source, GOOD_FOR),
    ).fetchone()
    return row[0] if row else None


def record_losses(conn: Connection, query: str, source: str, lost: Mapping[int, tuple[int, int]]) -> None:
    """Write down which offsets `[first, end)` of which partitions a query went past without reading them."""
    rows = [(query, source, partition, first, end) for partition, (first, end) in lost.items()]
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO ops.lost_records (query, source, kafka_partition, first_offset, end_offset)
               VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
            rows,
        )
