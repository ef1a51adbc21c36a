"""How far landing has got: the next offset it will read, for each source and Kafka partition."""

from collections.abc import Mapping

from psycopg import Connection

_COMMIT = """
INSERT INTO ops.landing_offsets AS o (source, kafka_partition, next_offset)
VALUES (%s, %s, %s)
ON CONFLICT (source, kafka_partition) DO UPDATE SET next_offset = excluded.next_offset, committed_at = now()
"""


def committed_offsets(conn: Connection, source: str) -> dict[int, int]:
    """Next offset per partition; everything before it is in bronze or in quarantine. Empty: nothing landed yet."""
    rows = conn.execute(
        "SELECT kafka_partition, next_offset FROM ops.landing_offsets WHERE source = %s", (source,)
    ).fetchall()
    return dict(rows)


def commit_offsets(conn: Connection, source: str, offsets: Mapping[int, int]) -> None:
    """Record the offsets that a landed batch ended at."""
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(_COMMIT, [(source, partition, offset) for partition, offset in offsets.items()])


def set_back_offsets(conn: Connection, source: str, offsets: Mapping[int, int]) -> None:
    """Landing begins again there, however far it had come; in the other partitions with what Kafka still has."""
    with conn.transaction():
        conn.execute("DELETE FROM ops.landing_offsets WHERE source = %s", (source,))
        commit_offsets(conn, source, offsets)
