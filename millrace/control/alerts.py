"""Alerts: what somebody must look at. PostgreSQL holds those that count, ClickHouse a copy for dashboards.

Raising one is safe anywhere: where PostgreSQL is away the alert goes to the log, and the caller goes on.
"""

import logging
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from psycopg import Connection, Error
from psycopg.rows import class_row

log = logging.getLogger(__name__)

Kind = Literal[
    "imbalance",
    "task_failed",
    "driver_down",
    "driver_stalled",
    "records_lost",
    "query_failed",
    "result_left_out",
    "live_table_lost",
]
Severity = Literal["critical", "warning"]
_LONGEST = 4000
_RAISE = """
INSERT INTO ops.alerts AS a (kind, severity, subject, message, run_id)
VALUES (%(kind)s, %(severity)s, %(subject)s, %(message)s, %(run_id)s)
ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO UPDATE SET
    severity = excluded.severity, message = excluded.message, run_id = coalesce(excluded.run_id, a.run_id),
    times = a.times + 1, changed_at = now()
"""
_RESOLVE = """
UPDATE ops.alerts SET resolved_at = now(), resolved_by = %(by)s, changed_at = now()
WHERE kind = %(kind)s AND subject = %(subject)s AND resolved_at IS NULL
"""


@dataclass(frozen=True)
class Alert:
    """One row of `ops.alerts`; open until `resolved_at`."""

    id: int
    kind: str
    severity: str
    subject: str
    """What it is about; a kind has at most one open alert for each subject."""
    message: str
    run_id: str | None
    at: datetime
    times: int
    """How often it was raised while open."""
    resolved_at: datetime | None
    resolved_by: str | None
    changed_at: datetime

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


COLUMNS = tuple(f.name for f in fields(Alert))
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM ops.alerts"
_NEWEST_FIRST = "ORDER BY resolved_at IS NOT NULL, severity, changed_at DESC LIMIT %(limit)s"


def raise_alert(
    conn: Connection, *, kind: Kind, subject: str, message: str, severity: Severity, run_id: str | None = None
) -> bool:
    """Open an alert, or renew the open one of this kind and subject. Never raises: what fails goes to the log.

    Gives whether PostgreSQL has taken it.
    """
    log.log(logging.ERROR if severity == "critical" else logging.WARNING, "alert %s, %s: %s", kind, subject, message)
    row = {"kind": kind, "severity": severity, "subject": subject, "message": message[:_LONGEST], "run_id": run_id}
    try:
        conn.execute(_RAISE, row)
    except Error as error:
        log.warning("the alert above is in this log alone, PostgreSQL did not take it: %s", error)
        return False
    return True


def resolve_alerts(conn: Connection, kind: Kind, subject: str, by: str = "millrace") -> int | None:
    """Close the open alert of this kind and subject, if there is one; how many that were, None where PostgreSQL does
    not answer. Never raises."""
    try:
        closed = conn.execute(_RESOLVE, {"kind": kind, "subject": subject, "by": by}).rowcount
    except Error as error:
        log.warning("alert %s, %s stays open, PostgreSQL did not answer: %s", kind, subject, error)
        return None
    if closed:
        log.info("alert %s, %s is resolved by %s", kind, subject, by)
    return closed


def resolve_alert(conn: Connection, number: int, by: str) -> Alert | None:
    """Close one alert by its id, as a person wishes; None where no open alert has it."""
    query = f"""UPDATE ops.alerts SET resolved_at = now(), resolved_by = %(by)s, changed_at = now()
        WHERE id = %(id)s AND resolved_at IS NULL RETURNING {", ".join(COLUMNS)}"""
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(query.encode(), {"id": number, "by": by}).fetchone()


def open_alerts(conn: Connection, kind: Kind | None = None, limit: int = 100) -> list[Alert]:
    """What is open, critical before warning, the newest first."""
    query = f"{_SELECT} WHERE resolved_at IS NULL AND (%(kind)s::text IS NULL OR kind = %(kind)s) {_NEWEST_FIRST}"
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(query.encode(), {"kind": kind, "limit": limit}).fetchall()


def read_alerts(conn: Connection, limit: int = 100) -> list[Alert]:
    """All alerts, the open ones first."""
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(f"{_SELECT} {_NEWEST_FIRST}".encode(), {"limit": limit}).fetchall()


def alerts_changed_since(conn: Connection, moment: datetime) -> list[Alert]:
    """What was raised, renewed or resolved since, for a copy that catches up."""
    query = f"{_SELECT} WHERE changed_at >= %(moment)s ORDER BY changed_at"
    with conn.cursor(row_factory=class_row(Alert)) as cursor:
        return cursor.execute(query.encode(), {"moment": moment}).fetchall()
