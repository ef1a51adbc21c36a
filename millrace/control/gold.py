"""What each partition of a gold table was last made of, so that it is not made of the same things again."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True)
class Made:
    """A partition of a gold table as it was when it was published, or of its copy as a sync has left it."""

    inputs: str
    """Tells the files of the inputs, the SELECT and the suite; of a copy, the files of the table."""
    outcome: str
    """Tells the files of the table; of a copy, its rows."""


@dataclass(frozen=True)
class _Row(Made):
    part: str


def read_made(conn: Connection, table_path: str) -> dict[str, Made]:
    """By partition, everything that is known of a table."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        cursor.execute("SELECT part, inputs, outcome FROM ops.gold_partitions WHERE table_path = %s", (table_path,))
        return {row.part: Made(row.inputs, row.outcome) for row in cursor}


def write_made(conn: Connection, table_path: str, made: Mapping[str, Made]) -> None:
    """Put these partitions in place of what was known of them."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO ops.gold_partitions (table_path, part, inputs, outcome) VALUES (%s, %s, %s, %s)
               ON CONFLICT (table_path, part)
               DO UPDATE SET inputs = EXCLUDED.inputs, outcome = EXCLUDED.outcome, made_at = now()""",
            [(table_path, part, each.inputs, each.outcome) for part, each in sorted(made.items())],
        )
