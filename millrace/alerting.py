"""Raises and resolves alerts from anywhere, and keeps the copy in ClickHouse up; nothing here fails its caller."""

import logging
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.client import Client
from psycopg import Connection, Error

from millrace import names
from millrace.clickhouse.client import SOON, connect as connect_clickhouse, is_transient
from millrace.control.alerts import (
    COLUMNS,
    Kind,
    Severity,
    alerts_changed_since,
    raise_alert,
    resolve_alerts,
)
from millrace.control.database import connect
from millrace.errors import TransientError
from millrace.settings import Settings

log = logging.getLogger(__name__)
TABLE = "alerts"
_OVERLAP = timedelta(minutes=5)
"""Looked at again with each copy: a change is dated when its transaction began, and may be seen later."""


def alert(
    settings: Settings, *, kind: Kind, subject: str, message: str, severity: Severity, run_id: str | None = None
) -> None:
    """Open or renew an alert, and show it; a service that is away costs a line in the log."""
    _with_connection(
        settings,
        f"alert {kind}, {subject}: {message}",
        lambda conn: raise_alert(conn, kind=kind, subject=subject, message=message, severity=severity, run_id=run_id),
    )


def all_clear(settings: Settings, kind: Kind, subject: str) -> None:
    """Resolve the open alert of this kind and subject, and show that."""
    _with_connection(settings, f"end of alert {kind}, {subject}", lambda conn: resolve_alerts(conn, kind, subject))


def show_alerts(conn: Connection, settings: Settings) -> None:
    """Bring ClickHouse's copy up to date, whatever it has missed; it catches up later where it is away."""
    try:
        copy_alerts(conn, connect_clickhouse(settings, names.OPS, answers_within=SOON))
    except Exception as error:
        if not is_transient(error) and not isinstance(error, Error):
            raise
        log.warning("ClickHouse's copy of the alerts lags: %s", error)


def copy_alerts(conn: Connection, client: Client) -> None:
    """Send what has changed since ClickHouse's newest; the same row again replaces itself."""
    [(newest,)] = client.query(f"SELECT max(changed_at) FROM {TABLE}").result_rows
    changed = alerts_changed_since(conn, _utc(newest) - _OVERLAP)
    if changed:
        client.insert(TABLE, [astuple(row) for row in changed], column_names=COLUMNS, database=names.OPS)


def _with_connection(settings: Settings, what: str, work: Callable[[Connection], object]) -> None:
    try:
        with connect(settings) as conn:
            work(conn)
            show_alerts(conn, settings)
    except (TransientError, Error) as error:
        log.warning("%s; in this log alone: %s", what, error)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
