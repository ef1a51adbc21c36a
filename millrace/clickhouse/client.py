"""The ClickHouse client: synchronous inserts, no sessions, one client per thread."""

import re
from uuid import uuid4

import clickhouse_connect
import requests
from clickhouse_connect import common
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from millrace.errors import TransientError
from millrace.settings import Settings

_SETTINGS = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}

_REACHED = 5.0
_PINGED = 10.0
"""A server that hangs takes connections, and answers nothing: seen here, before the long wait for a query."""
ANSWERED = 300.0
SOON = 20.0
"""For who has other things to do, and shorter than a driver may stand still without being taken for stalled."""

common.set_setting("autogenerate_session_id", False)


def connect(settings: Settings, database: str | None = None, *, answers_within: float = ANSWERED) -> Client:
    """Open a client for the calling thread; raises TransientError when ClickHouse does not answer.

    `answers_within`: seconds without a byte of an answer after which a query counts as lost.
    """
    url, authority = settings.clickhouse_url, settings.clickhouse_ca
    try:
        requests.get(f"{url}/ping", timeout=(_REACHED, _PINGED), verify=authority or True).raise_for_status()
        return clickhouse_connect.get_client(
            host=settings.clickhouse_host,
            port=settings.clickhouse_http_port,
            secure=settings.clickhouse_secure,
            ca_cert=authority or None,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password.get_secret_value(),
            database=database or "default",
            settings=_SETTINGS,
            autogenerate_session_id=False,
            connect_timeout=int(_REACHED),
            send_receive_timeout=int(answers_within),
            query_retries=0,
        )
    except (ClickHouseError, OSError) as error:
        raise TransientError(f"ClickHouse at {url} did not let us in: {error}; see `make doctor`") from error


def anew() -> dict[str, str]:
    """Settings of an insert that is to happen though the table may know the block: a token that no other has.

    Not by `insert_deduplicate`, which newer servers ignore.
    """
    return {"insert_deduplication_token": uuid4().hex}


def columns_of(client: Client, database: str, table: str) -> dict[str, str]:
    """Column name to type, in table order; empty when the table does not exist."""
    rows = client.query(
        "SELECT name, type FROM system.columns WHERE database = %(d)s AND table = %(t)s ORDER BY position",
        parameters={"d": database, "t": table},
    ).result_rows
    return {row[0]: row[1] for row in rows}


_PASSING = {74, 75, 76, 159, 160, 164, 202, 203, 209, 210, 236, 241, 242, 243, 252, 279, 319, 425, 439, 999}
"""Server error codes that go away by themselves: overload, memory, a full disk, timeouts, too many parts, shutdown, a
server that takes reads only for a while."""
_OF_THE_SYSTEM = 1001
"""What ClickHouse's library threw; only its text says what that was."""
_DISK = re.compile("Read-only file system|No space left on device")


def is_transient(error: BaseException) -> bool:
    """True when the same call may succeed later: ClickHouse is away, starting, or too busy."""
    if isinstance(error, DatabaseError):
        disk = error.code == _OF_THE_SYSTEM and _DISK.search(str(error)) is not None
        return isinstance(error, OperationalError) or error.code in _PASSING or error.code is None or disk
    return isinstance(error, (TransientError, ClickHouseError, HTTPError, OSError))
