"""What deploy and launch derive from contracts and settings, before anything is touched."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from millrace import deploy
from millrace.clickhouse.client import ANSWERED, SOON
from millrace.clickhouse.live import INTERNAL, create_live, live_ddl, table_columns
from millrace.clickhouse.realtime import finalised, sorting_key, state_ddl, version_of, view_ddl
from millrace.contracts.catalog import Catalog, read_catalog
from millrace.contracts.model import RealtimeModel
from millrace.deploy import statements
from millrace.errors import ConfigError
from millrace.launch import ENGINE_JAR, fingerprint, rotate, submit_command
from millrace.settings import ROOT, Settings
from millrace.topics import wanted_topics

MODEL = RealtimeModel(
    name="events_per_minute",
    domain="shop",
    path=Path("models/shop/realtime/events_per_minute.sql"),
    sql="SELECT 1",
    inputs=("user_events",),
    order_by=("window_start", "event_type"),
)
COLUMNS = {
    "window_start": "DateTime('UTC')",
    "window_end": "DateTime('UTC')",
    "event_type": "LowCardinality(String)",
    "event_count": "SimpleAggregateFunction(sum, UInt64)",
    "visitors": "AggregateFunction(uniq, String)",
    "p99": "AggregateFunction(quantile(0.99), Float64)",
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT)


def test_topics_of_a_source_are_dated_by_the_broker_and_have_dead_letters(catalog: Catalog) -> None:
    topics = {t.name: t for t in wanted_topics(Settings(kafka_max_replication=2), catalog)}
    events = topics["user-events"]
    assert (events.partitions, events.replication) == (6, 2)
    assert events.config["message.timestamp.type"] == "LogAppendTime"
    assert events.config["retention.ms"] == str(3 * 86_400_000)
    dead = topics["user-events.dlq"]
    assert int(dead.config["max.message.bytes"]) > int(events.config["max.message.bytes"])
    assert "shop-conversions" in topics


def test_live_table_holds_the_pseudonym_and_what_the_window_needs(catalog: Catalog) -> None:
    columns = table_columns(catalog.source("user_events"))
    assert columns["user_id"] == "String"
    assert columns["event_time"] == "DateTime64(6, 'UTC')"
    assert "timestamp" not in columns
    assert list(columns)[-len(INTERNAL) :] == list(INTERNAL)


def test_live_table_remembers_tokens_and_expires_by_append_time(catalog: Catalog) -> None:
    ddl = live_ddl(catalog.source("user_events"))
    assert "non_replicated_deduplication_window" in ddl
    assert "TTL toDateTime(append_time)" in ddl
    assert "INDEX append_time append_time TYPE minmax" in ddl


def test_a_live_table_that_exists_gets_the_indexes_that_stream_models_need(catalog: Catalog) -> None:
    source, commands = catalog.source("user_events"), []
    rows = list(table_columns(source).items())
    client = SimpleNamespace(query=lambda *_, **__: SimpleNamespace(result_rows=rows), command=commands.append)
    create_live(client, source)
    assert [c.partition("`user_events` ")[2].split()[:6] for c in commands] == [
        ["ADD", "INDEX", "IF", "NOT", "EXISTS", "append_time"],
        ["ADD", "INDEX", "IF", "NOT", "EXISTS", "kafka_partition"],
        ["MODIFY", "TTL", "toDateTime(append_time)", "+", "INTERVAL", "259200"],
    ]


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        ("event_type", "s.`event_type`"),
        ("event_count", "sum(s.`event_count`)"),
        ("visitors", "uniqMerge(s.`visitors`)"),
        ("p99", "quantileMerge(0.99)(s.`p99`)"),
    ],
)
def test_the_view_shows_ordinary_numbers(column: str, expression: str) -> None:
    assert finalised(column, COLUMNS[column]) == expression
    assert f"{expression} AS `{column}`" in view_ddl(MODEL, COLUMNS)


def test_plain_columns_are_all_part_of_the_key() -> None:
    assert sorting_key(MODEL, COLUMNS) == ["window_start", "event_type", "window_end"]
    assert "ORDER BY (`window_start`, `event_type`, `window_end`)" in state_ddl(MODEL, COLUMNS)


def test_a_model_without_a_time_to_expire_by_is_refused() -> None:
    model = MODEL.model_copy(update={"order_by": ("event_type",)})
    with pytest.raises(ConfigError, match="ttl"):
        state_ddl(model, COLUMNS)


def test_changed_sql_is_another_version() -> None:
    assert version_of(MODEL) != version_of(MODEL.model_copy(update={"sql": "SELECT 2"}))
    assert version_of(MODEL) == version_of(MODEL.model_copy(update={"ttl": timedelta(days=1)}))


class _ClickHouse:
    """Has no table yet; describes any SELECT as one of the example's columns, unless it refuses that."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commands: list[str] = []
        self._error = error

    def query(self, sql: str, **_: object) -> SimpleNamespace:
        if sql.startswith("DESCRIBE") and self._error:
            raise self._error
        return SimpleNamespace(result_rows=list(COLUMNS.items()) if sql.startswith("DESCRIBE") else [])

    def command(self, sql: str, **_: object) -> None:
        self.commands.append(sql)


def _clients(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> dict[float, _ClickHouse]:
    """Clients by how long they wait for an answer."""
    found = {seconds: _ClickHouse(error) for seconds in (SOON, ANSWERED)}
    monkeypatch.setattr(deploy, "connect_clickhouse", lambda *_, answers_within=ANSWERED: found[answers_within])
    return found


def test_models_are_filled_with_patience_and_only_while_nobody_writes(
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    some = catalog.model_copy(update={"models": (MODEL,)})
    clients = _clients(monkeypatch)
    assert deploy.deploy_realtime(Settings(), some, lambda _: True) == {}
    assert not any(client.commands for client in clients.values()), "its live table is being written"
    assert deploy.deploy_realtime(Settings(), some, lambda _: False) == {}
    assert any(command.startswith("INSERT INTO") for command in clients[ANSWERED].commands)
    assert not clients[SOON].commands


def test_a_model_that_clickhouse_refuses_is_its_sources_trouble(
    monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    some = catalog.model_copy(update={"models": (MODEL,)})
    _clients(monkeypatch, refusal := DatabaseError("unknown column", code=47))
    assert deploy.deploy_realtime(Settings(), some, lambda _: False) == {"user_events": refusal}
    _clients(monkeypatch, DatabaseError("memory", code=241))
    with pytest.raises(DatabaseError):
        deploy.deploy_realtime(Settings(), some, lambda _: False)


def test_fingerprint_follows_the_models(catalog: Catalog, tmp_path: Path) -> None:
    changed = tmp_path / "events_per_minute.sql"
    changed.write_text("SELECT 2")
    models = tuple(
        m.model_copy(update={"path": changed}) if m.name == "events_per_minute" else m for m in catalog.models
    )
    assert fingerprint(catalog) == fingerprint(read_catalog(ROOT))
    assert fingerprint(catalog) != fingerprint(catalog.model_copy(update={"models": models}))


def test_the_command_line_holds_no_secret(tmp_path: Path) -> None:
    for jar in (tmp_path / "spark-jars" / "delta.jar", tmp_path / "engine" / ENGINE_JAR):
        jar.parent.mkdir()
        jar.touch()
    settings = Settings(downloads=tmp_path, pseudonym_key="k3y", postgres_password="p4ss", stream_conf={"a.b": "c"})
    command = submit_command(settings, "streams")
    assert command[-1] == "streams"
    assert "a.b=c" in command
    assert not any("k3y" in part or "p4ss" in part for part in command)


def test_missing_jars_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make up"):
        submit_command(Settings(downloads=tmp_path), "streams")


def test_logs_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "stream-streams.log"
    for run in range(5):
        rotate(log, keep=3)
        log.write_text(str(run))
    assert {p.name: p.read_text() for p in log.parent.iterdir()} == {
        "stream-streams.log": "4",
        "stream-streams.log.1": "3",
        "stream-streams.log.2": "2",
        "stream-streams.log.3": "1",
    }


def test_statements_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("CREATE TABLE a (c String DEFAULT ';');\n\nCREATE TABLE b (c String)\n")
    assert [s.split()[2] for s in statements(path)] == ["a", "b"]
