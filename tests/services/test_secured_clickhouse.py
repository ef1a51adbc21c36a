"""A ClickHouse behind TLS is a matter of settings."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.clickhouse_server import check
from millrace.clickhouse.client import connect
from millrace.errors import TransientError
from millrace.settings import Settings
from tests.certificate import write_certificate
from tests.faults.proxy import Proxy
from tests.stack import TestStack


@pytest.fixture
def secured(stack: TestStack, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a server that speaks HTTPS only: what ends TLS stands before ClickHouse."""
    stack.start("clickhouse")
    server, authority = tmp_path / "server.pem", tmp_path / "ca.pem"
    write_certificate(server, authority)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server)
    s = stack.settings
    with Proxy(s.clickhouse_host, s.clickhouse_http_port, tls) as proxy:
        where = {"clickhouse_http_port": proxy.port, "clickhouse_secure": True, "clickhouse_ca": str(authority)}
        yield s.model_copy(update=where)


def test_it_is_reached(secured: Settings) -> None:
    check(secured)
    assert connect(secured).query("SELECT 1").result_rows == [(1,)]


def test_one_that_nobody_vouches_for_is_not_trusted(secured: Settings) -> None:
    with pytest.raises(TransientError, match="certificate"):
        connect(secured.model_copy(update={"clickhouse_ca": ""}))
