"""Mutual exclusion between batch steps of different runs: advisory locks in PostgreSQL, freed if the holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import QueryCanceled

from millrace.control.database import connect
from millrace.errors import TransientError
from millrace.settings import Settings

_PATIENCE = "10min"


@contextmanager
def exclusive(settings: Settings, name: str) -> Iterator[None]:
    """Hold the lock `name` while the block runs; raises TransientError when another run keeps it too long."""
    with connect(settings) as conn:
        try:
            conn.execute(f"SET statement_timeout = '{_PATIENCE}'")
            conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (f"millrace.{name}",))
        except QueryCanceled as error:
            raise TransientError(f"another run has been working on {name} for {_PATIENCE}; try again later") from error
        yield
