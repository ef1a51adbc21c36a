"""Brings topics, subjects, tables and views to what the catalog says; safe to repeat, and with a stream running."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from clickhouse_connect.driver.exceptions import ClickHouseError

from millrace import names
from millrace.clickhouse.client import SOON, connect as connect_clickhouse, is_transient
from millrace.clickhouse.freshness import freshness_view
from millrace.clickhouse.live import create_live, is_empty
from millrace.clickhouse.realtime import create_realtime, outdated
from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.control.database import apply_schema, connect as connect_postgres
from millrace.control.groups import read_group
from millrace.errors import ConfigError
from millrace.registry import register
from millrace.settings import ROOT, Settings
from millrace.topics import admin, ensure_topics, wanted_topics

log = logging.getLogger(__name__)
SQL_DIR = ROOT / "clickhouse"
DATABASES = (names.LIVE, names.REALTIME, names.GOLD, names.OPS)
Refused = dict[str, Exception]
"""Source to the error, one that waiting does not mend, for which a service would not do what it needs."""


def deploy(settings: Settings, catalog: Catalog) -> Refused:
    """Create or update everything outside the lake that the catalog needs."""
    with connect_postgres(settings) as conn:
        apply_schema(conn)
        deploy_topics(settings, catalog)
        refused: Refused = {}
        deploy_subjects(settings, catalog, refused)
        refused |= deploy_tables(settings, catalog)
        alive = read_group(conn, names.STREAM_GROUP).alive
        client = connect_clickhouse(settings, answers_within=SOON)
        # Where rows are, a killed driver may have left some whose batch comes again: the next driver knows which.
        return deploy_realtime(settings, catalog, lambda source: alive or not is_empty(client, source)) | refused


def deploy_topics(settings: Settings, catalog: Catalog) -> None:
    created = ensure_topics(admin(settings), wanted_topics(settings, catalog))
    for name in created:
        log.info("created topic %s", name)


def deploy_subjects(settings: Settings, catalog: Catalog, refused: Refused) -> None:
    """Register every source's schema, so that producers find it; `refused` gets those that the registry will not have.

    It keeps them where the registry goes away meanwhile, for which TransientError is raised.
    """
    _for_each(catalog.sources, lambda source: register(settings, source), refused)


def deploy_tables(settings: Settings, catalog: Catalog) -> Refused:
    """ClickHouse databases, our own tables, and the live tables. None of it takes ClickHouse long."""
    client = connect_clickhouse(settings, answers_within=SOON)
    for database in DATABASES:
        client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
    for path in sorted((SQL_DIR / names.OPS).glob("*.sql"), key=lambda p: (_is_view(p), p.name)):
        for statement in statements(path):
            client.command(statement)
    refused = _for_each(catalog.sources, lambda source: create_live(client, source))
    if live := [source for source in catalog.sources if source.name not in refused]:
        client.command(freshness_view(live))
    return refused


def deploy_realtime(
    settings: Settings,
    catalog: Catalog,
    is_written: Callable[[Source], bool],
    coming_again: Callable[[Source], str | None] = lambda _: None,
) -> Refused:
    """Real-time models, but for those whose live table is being written: filling them now would miss rows.

    Supervision restarts a driver whose fingerprint is no longer that of the catalog; it builds them before its queries.
    It alone knows which rows of a live table belong to a batch that a killed driver has left: `coming_again`.
    """
    client = connect_clickhouse(settings, names.LIVE, answers_within=SOON)

    def build(source: Source) -> None:
        for model in (m for m in catalog.realtime if source.name in m.inputs):
            old = outdated(client, model)
            if not is_written(source):
                again = coming_again(source) if old else None
                rows = {source.name: again} if again else {}
                create_realtime(connect_clickhouse(settings, names.LIVE) if old else client, model, rows)
            elif old:
                log.info("realtime.%s is built with the next start of the stream group", model.name)

    return _for_each(catalog.sources, build)


def _for_each(sources: Iterable[Source], work: Callable[[Source], object], refused: Refused | None = None) -> Refused:
    """Do `work` for every source; those that are refused for a reason that stays, added to `refused` as they come."""
    refused = {} if refused is None else refused
    for source in sources:
        try:
            work(source)
        except (ConfigError, ClickHouseError) as error:
            if is_transient(error):
                raise
            refused[source.name] = error
    return refused


def _is_view(path: Path) -> bool:
    """Views come after the tables that they read."""
    return "CREATE OR REPLACE VIEW" in path.read_text()


def statements(path: Path) -> Iterator[str]:
    """The statements of an SQL file; each ends with a semicolon at the end of a line, the last may go without."""
    text = path.read_text().rstrip().removesuffix(";")
    return (part for part in text.split(";\n") if part.strip())
