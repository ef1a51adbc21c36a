"""The connection to the control plane's database, and its schema."""

from pathlib import Path

import psycopg
from psycopg import Connection

from millrace.errors import TransientError
from millrace.settings import Settings

_SCHEMA_LOCK = 7_261_001
"""Advisory lock: two deploys at once must not race each other through CREATE IF NOT EXISTS."""

_ALIVE = "keepalives_idle=5 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=20000"
"""A server whose machine is gone says nothing: a connection to it ends after twenty seconds, not after minutes."""


def connect(settings: Settings) -> Connection:
    """Open an autocommit connection; raises TransientError, without the password, when PostgreSQL does not answer."""
    try:
        return psycopg.connect(
            f"{settings.postgres_dsn} {_ALIVE}",
            autocommit=True,
            connect_timeout=5,
            application_name="millrace",
            options="-c timezone=UTC -c statement_timeout=30000",
        )
    except psycopg.OperationalError as error:
        where = f"{settings.postgres_host}:{settings.postgres_port}"
        raise TransientError(f"PostgreSQL at {where} did not let us in: {error}; see `make doctor`") from error


def apply_schema(conn: Connection) -> None:
    """Run every SQL file of this folder; each is idempotent."""
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
        for path in sorted(Path(__file__).parent.glob("*.sql"), key=lambda p: (p.stem != "streams", p.stem)):
            conn.execute(path.read_bytes())
