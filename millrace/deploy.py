"""Brings topics, subjects, tables and views to what the catalog says; safe to repeat, and with a stream running."""

import logging
from collections.abc import Iterator
from pathlib import Path

from clickhouse_connect.driver.client import Client
from psycopg import Connection

from millrace import names
from millrace.clickhouse.client import connect as connect_clickhouse
from millrace.clickhouse.freshness import freshness_view
from millrace.clickhouse.live import create_live
from millrace.clickhouse.realtime import create_realtime, outdated
from millrace.contracts.catalog import Catalog
from millrace.control.database import apply_schema, connect as connect_postgres
from millrace.control.groups import read_group
from millrace.registry import register
from millrace.settings import ROOT, Settings
from millrace.topics import admin, ensure_topics, wanted_topics

log = logging.getLogger(__name__)
SQL_DIR = ROOT / "clickhouse"
DATABASES = (names.LIVE, names.REALTIME, names.GOLD, names.OPS)


def deploy(settings: Settings, catalog: Catalog) -> None:
    """Create or update everything outside the lake that the catalog needs."""
    with connect_postgres(settings) as conn:
        apply_schema(conn)
        deploy_topics(settings, catalog)
        deploy_subjects(settings, catalog)
        deploy_tables(settings, catalog)
        deploy_realtime(settings, catalog, conn)


def deploy_topics(settings: Settings, catalog: Catalog) -> None:
    created = ensure_topics(admin(settings), wanted_topics(settings, catalog))
    for name in created:
        log.info("created topic %s", name)


def deploy_subjects(settings: Settings, catalog: Catalog) -> None:
    """Register every source's schema, so that producers find it."""
    for source in catalog.sources:
        register(settings, source)


def deploy_tables(settings: Settings, catalog: Catalog) -> None:
    """ClickHouse databases, our own tables, and the live tables."""
    client = connect_clickhouse(settings)
    for database in DATABASES:
        client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    for path in sorted((SQL_DIR / names.OPS).glob("*.sql"), key=lambda p: (_is_view(p), p.name)):
        for statement in statements(path):
            client.command(statement)
    for source in catalog.sources:
        create_live(client, source)
    if catalog.sources:
        client.command(freshness_view(catalog.sources))


def deploy_realtime(settings: Settings, catalog: Catalog, conn: Connection) -> None:
    """Real-time models, unless a driver is writing the live tables: then it does so itself with its next start.

    Supervision restarts a driver whose fingerprint is no longer that of the catalog.
    """
    alive = read_group(conn, names.STREAM_GROUP).alive
    client = connect_clickhouse(settings, names.LIVE)
    for model in catalog.realtime:
        if not alive:
            create_realtime(client, model)
        elif outdated(client, model):
            log.info("realtime.%s is built with the next start of the stream group", model.name)


def build_realtime(client: Client, catalog: Catalog) -> None:
    """Real-time models, for the driver that holds the lease and has not started its live queries yet."""
    for model in catalog.realtime:
        create_realtime(client, model)


def _is_view(path: Path) -> bool:
    """Views come after the tables that they read."""
    return "CREATE OR REPLACE VIEW" in path.read_text()


def statements(path: Path) -> Iterator[str]:
    """The statements of an SQL file; each ends with a semicolon at the end of a line, the last may go without."""
    text = path.read_text().rstrip().removesuffix(";")
    return (part for part in text.split(";\n") if part.strip())
