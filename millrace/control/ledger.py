"""The ledger: acked in Kafka = bronze + quarantined; bronze = silver + duplicates + rejected; silver = its copies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client
from psycopg import Connection
from psycopg.rows import kwargs_row

from millrace import names
from millrace.intervals import Interval

TABLE = "ledger"
GOLD, SERVED, LIVE = "gold.", "clickhouse.gold.", "clickhouse.live."
"""How the names of copies begin: gold's base in the lake, gold tables in ClickHouse, live tables in ClickHouse."""


@dataclass(frozen=True)
class Copy:
    """What a copy of silver, or of what was made from it, should hold of the interval, and what it does."""

    expected: int | None
    found: int | None
    """Rows; None where it cannot be told, which is not held against the interval."""
    stale: int = 0
    """Partitions with as many rows as they should have, but not the same ones."""

    @property
    def balances(self) -> bool:
        return self.expected is None or self.found is None or (self.expected == self.found and not self.stale)


UNKNOWN = Copy(None, None)


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
    doubled: int = 0
    """Records that are in bronze or in quarantine more than once, or in both."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """How many rows were rejected, by reason."""
    copies: Mapping[str, Copy] = field(default_factory=dict)
    """By name: `gold.<model>`, `clickhouse.gold.<table>`, `clickhouse.live.<source>`."""
    written_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def interval(self) -> Interval:
        return Interval(self.interval_start, self.interval_end)

    @property
    def missing(self) -> int:
        """Records that Kafka took and that are neither in bronze nor in quarantine; negative: there twice."""
        return 0 if self.kafka_acked is None else self.kafka_acked - self.bronze - self.quarantined

    @property
    def lost(self) -> int:
        """Bronze rows of which nobody knows what became."""
        return self.bronze - self.silver - self.duplicates - self.rejected

    @property
    def gold(self) -> int | None:
        """Rows in gold's base; None where no table holds silver row by row."""
        return self._rows(GOLD)

    @property
    def served(self) -> int | None:
        """Rows in the partitions and keys that the interval touched, over all gold tables in ClickHouse."""
        return self._rows(SERVED)

    @property
    def live(self) -> int | None:
        """Events of the interval in the live table."""
        return self._rows(LIVE)

    @property
    def problems(self) -> tuple[str, ...]:
        """Where it does not balance, hop by hop, in words."""
        return tuple(self._problems())

    @property
    def balances(self) -> bool:
        return not self.problems

    @property
    def verdict(self) -> str:
        return "; ".join(self.problems) or "balances"

    def _rows(self, prefix: str) -> int | None:
        found = [copy.found for name, copy in self.copies.items() if name.startswith(prefix)]
        known = [rows for rows in found if rows is not None]
        return sum(known) if known and len(known) == len(found) else None

    def _problems(self) -> Iterator[str]:
        if self.missing > 0:
            yield f"{self.missing} records that Kafka acked are neither in bronze nor in quarantine"
        elif self.missing < 0:
            yield f"bronze and quarantine hold {-self.missing} records more than Kafka acked"
        if self.doubled:
            yield f"{self.doubled} records are in bronze or quarantine twice"
        if self.lost > 0:
            yield f"{self.lost} rows of bronze are neither in silver nor duplicates nor rejected"
        elif self.lost < 0:
            yield f"silver, duplicates and rejected are {-self.lost} rows more than bronze"
        yield from (_difference(name, copy) for name, copy in self.copies.items() if not copy.balances)


def _difference(name: str, copy: Copy) -> str:
    of = {SERVED: "the lake", LIVE: "bronze"}
    origin = next((origin for prefix, origin in of.items() if name.startswith(prefix)), "silver")
    if copy.expected == copy.found:
        return f"{name} holds other rows than {origin} in {copy.stale} partitions"
    return f"{name} holds {copy.found} rows where {origin} has {copy.expected}"


_KEY = ("source", "interval_start", "interval_end")
_COLUMNS = tuple(f.name for f in fields(Entry))
_VALUES = (*_COLUMNS, "problems")
_RENEWED = tuple(name for name in _VALUES if name not in (*_KEY, "kafka_acked"))
_WRITE = f"""
INSERT INTO ops.ledger AS l ({", ".join(_VALUES)})
VALUES ({", ".join(f"%({name})s" for name in _VALUES)})
ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET
    kafka_acked = coalesce(excluded.kafka_acked, l.kafka_acked),
    {", ".join(f"{name} = excluded.{name}" for name in _RENEWED)}
RETURNING {", ".join(_COLUMNS)}
"""


def write_entry(conn: Connection, entry: Entry) -> Entry:
    """Write or renew the line of this source and interval; what Kafka acked, once known, stays known."""
    with conn.cursor(row_factory=kwargs_row(_entry)) as cursor:
        written = cursor.execute(_WRITE.encode(), _row(entry)).fetchone()
    assert written is not None
    return written


def read_entries(conn: Connection, source: str | None = None, limit: int = 48) -> list[Entry]:
    """The newest intervals first; one of several hours before each of them, since it alone has the copies."""
    query = f"""
        SELECT {", ".join(_COLUMNS)} FROM ops.ledger WHERE %(source)s::text IS NULL OR source = %(source)s
        ORDER BY interval_end DESC, interval_start, source LIMIT %(limit)s
    """
    with conn.cursor(row_factory=kwargs_row(_entry)) as cursor:
        return cursor.execute(query.encode(), {"source": source, "limit": limit}).fetchall()


def show_entries(client: Client, entries: Sequence[Entry]) -> None:
    """Copy lines to ClickHouse, for dashboards."""
    rows = [_row(e) | {"gold": e.gold, "served": e.served, "live": e.live, "balances": e.balances} for e in entries]
    client.insert(TABLE, [list(row.values()) for row in rows], column_names=list(rows[0]), database=names.OPS)


def _row(entry: Entry) -> dict[str, Any]:
    """An entry as columns; nested values as JSON text."""
    row = asdict(entry)
    nested = {name: json.dumps(row[name]) for name in ("reasons", "copies")}
    return row | nested | {"problems": list(entry.problems)}


def _entry(**columns: Any) -> Entry:
    copies = {name: Copy(**copy) for name, copy in columns.pop("copies").items()}
    return Entry(copies=copies, **columns)
