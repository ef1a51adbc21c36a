"""The ledger: acked in Kafka = bronze + quarantined; bronze = silver + duplicates + rejected."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client
from psycopg import Connection
from psycopg.rows import class_row

from millrace import names

TABLE = "ledger"


@dataclass(frozen=True)
class Entry:
    """What came in for a source in an interval, and what became of it."""

    source: str
    interval_start: datetime
    interval_end: datetime
    run_id: str
    kafka_acked: int | None
    """None where Kafka's retention has already deleted part of the interval."""
    bronze: int
    quarantined: int
    silver: int
    duplicates: int
    rejected: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    """How many rows were rejected, by reason."""
    written_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def missing(self) -> int:
        """Records that Kafka took and that are neither in bronze nor in quarantine; negative: there twice."""
        return 0 if self.kafka_acked is None else self.kafka_acked - self.bronze - self.quarantined

    @property
    def lost(self) -> int:
        """Bronze rows of which nobody knows what became."""
        return self.bronze - self.silver - self.duplicates - self.rejected

    @property
    def balances(self) -> bool:
        return self.missing == 0 and self.lost == 0


_KEY = ("source", "interval_start", "interval_end")
_COLUMNS = tuple(f.name for f in fields(Entry))
_COUNTS = tuple(name for name in _COLUMNS if name not in (*_KEY, "kafka_acked"))
_WRITE = f"""
INSERT INTO ops.ledger AS l ({", ".join(_COLUMNS)})
VALUES ({", ".join(f"%({name})s" for name in _COLUMNS)})
ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET
    kafka_acked = coalesce(excluded.kafka_acked, l.kafka_acked),
    {", ".join(f"{name} = excluded.{name}" for name in _COUNTS)}
RETURNING {", ".join(_COLUMNS)}
"""


def write_entry(conn: Connection, entry: Entry) -> Entry:
    """Write or renew the line of this source and interval; what Kafka acked, once known, stays known."""
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        written = cursor.execute(_WRITE, asdict(entry) | {"reasons": json.dumps(entry.reasons)}).fetchone()
    assert written is not None
    return written


def read_entries(conn: Connection, source: str | None = None, limit: int = 48) -> list[Entry]:
    """The newest intervals first."""
    query = f"""
        SELECT {", ".join(_COLUMNS)} FROM ops.ledger WHERE %(source)s::text IS NULL OR source = %(source)s
        ORDER BY interval_start DESC, interval_end DESC, source LIMIT %(limit)s
    """
    with conn.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(query, {"source": source, "limit": limit}).fetchall()


def show_entry(client: Client, entry: Entry) -> None:
    """Copy a line to ClickHouse, for dashboards."""
    row = asdict(entry) | {"reasons": json.dumps(entry.reasons), "balances": entry.balances}
    client.insert(TABLE, [list(row.values())], column_names=list(row), database=names.OPS)
