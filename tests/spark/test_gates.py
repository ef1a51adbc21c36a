"""A gate's verdict, message and record, on Spark Connect."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from pyspark.sql import DataFrame, SparkSession

from millrace.errors import ConfigError, MillraceError, TransientError
from millrace.settings import Settings
from spark_jobs.gates import GateFailed, GateResult, run_gate
from tests.spark.suites import rule, suite

EVENTS = "event_id string, user_id string, page string, event_type string, amount double, kafka_offset bigint"


class RecordingClient:
    """Stands in for ClickHouse; keeps what was inserted."""

    rows: list[dict[str, Any]]

    def __init__(self) -> None:
        self.rows = []

    def insert(self, table: str, rows: list[list[Any]], column_names: tuple[str, ...]) -> None:
        assert table == "gate_results"
        self.rows += [dict(zip(column_names, row, strict=True)) for row in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


@pytest.fixture
def clickhouse(monkeypatch: pytest.MonkeyPatch) -> RecordingClient:
    client = RecordingClient()
    monkeypatch.setattr("millrace.clickhouse.client.connect", lambda *_: client)
    return client


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path)


def gate(df: DataFrame, path: Path, settings: Settings, pii: tuple[str, ...] = ("user_id",)) -> GateResult:
    where = {"layer": "silver", "table": "user_events", "interval_key": "20260101T10", "run_id": "manual"}
    return run_gate(df, path, **where, settings=settings, pii=pii)


@pytest.fixture
def events(spark: SparkSession) -> DataFrame:
    rows = [
        ("a", "ann@x", "/home", "click", 1.0, 10),
        ("b", "bob@x", "cart", "click", None, 11),
        ("b", "cid@x", "/home", "buy", 5.0, 12),
        (None, None, "/", "click", 2.0, 13),
    ]
    return spark.createDataFrame(rows, EVENTS)


def test_good_rows_pass_and_every_rule_is_recorded(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    path = suite(
        tmp_path,
        rule("expect_column_values_to_not_be_null", column="page"),
        rule("expect_column_values_to_be_in_set", column="event_type", value_set=["click", "buy"]),
        rule("expect_table_row_count_to_be_between", min_value=1),
    )
    result = gate(events, path, settings)
    assert (result.success, result.severity, result.rows, result.broken) == (True, None, 4, ())
    assert [(r["rule_number"], r["success"], r["element_count"]) for r in clickhouse.rows] == [
        (0, True, 4), (1, True, 4), (2, True, 4),
    ]  # fmt: skip
    assert {r["gate_id"] for r in clickhouse.rows} == {result.gate_id}


def test_a_warning_is_told_and_does_not_block(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = suite(tmp_path, rule("expect_column_values_to_match_regex", "warning", column="page", regex="^/"))
    result = gate(events, path, settings)
    assert (result.success, result.severity) == (True, "warning")
    assert "broke for 1 of 4 rows" in caplog.text
    assert [(r["severity"], r["success"], r["unexpected_count"]) for r in clickhouse.rows] == [("warning", False, 1)]


def test_a_critical_rule_blocks_and_says_why(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    path = suite(
        tmp_path,
        rule("expect_column_values_to_match_regex", column="page", regex="^/"),
        rule("expect_column_values_to_not_be_null", "warning", column="amount"),
        locate=["kafka_offset"],
    )
    with pytest.raises(GateFailed) as caught:
        gate(events, path, settings)
    message = str(caught.value)
    assert "1 of 2 rules broke critically on 4 candidate rows of silver.user_events" in message
    assert 'page: expect_column_values_to_match_regex {"regex": "^/"} broke for 1 of 4 rows' in message
    assert '{"page":"cart","kafka_offset":11}' in message
    assert str(path) in message
    assert f"gate_id = '{clickhouse.rows[0]['gate_id']}'" in message
    page = Path(message.split("file://")[1].split("\n", 1)[0])
    assert "cart" in page.read_text()
    assert page.name in (settings.state_dir / "data_docs" / "index.html").read_text()


def test_personal_data_appears_nowhere(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    path = suite(
        tmp_path,
        rule("expect_column_values_to_match_regex", column="user_id", regex="^z"),
        rule("expect_column_max_to_be_between", column="amount", max_value=1),
        rule("expect_column_distinct_values_to_be_in_set", column="user_id", value_set=["q"]),
        rule("expect_column_values_to_match_regex", column="page", regex="^z"),
        locate=["user_id"],
    )
    with pytest.raises(GateFailed) as caught:
        gate(events, path, settings, pii=("user_id", "amount"))
    pages = "".join(p.read_text() for p in (settings.state_dir / "data_docs").rglob("*.html"))
    for text in (str(caught.value), str(clickhouse.rows), pages):
        assert "@x" not in text
    assert '{"user_id":"(masked)"}' in str(caught.value)
    assert "found (masked)" in str(caught.value)
    assert [r["success"] for r in clickhouse.rows] == [False] * 4


def test_repeated_keys_are_named(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    with pytest.raises(GateFailed, match=r'for 2 of 4 rows; e.g. {"event_id":"b","rows":2}'):
        gate(events, suite(tmp_path, rule("expect_column_values_to_be_unique", column="event_id")), settings)


def test_keys_that_only_share_a_hash_are_told_apart(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    keys = rule("expect_compound_columns_to_be_unique", column_list=["x", "y"])
    same_hash = events.sparkSession.createDataFrame([(1, None), (None, 1), (2, 2)], "x int, y int")
    assert same_hash.selectExpr("xxhash64(x, y) AS h").distinct().count() == 2
    assert gate(same_hash, suite(tmp_path, keys), settings).success
    with pytest.raises(GateFailed, match="for 2 of 4 rows"):
        gate(same_hash.union(same_hash.where("x = 1")), suite(tmp_path, keys), settings)


def test_no_rows_pass_unless_rows_are_asked_for(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    nothing = events.where("false")
    rules = [
        rule("expect_column_values_to_be_in_set", column="event_type", value_set=["x"]),
        rule("expect_column_max_to_be_between", column="amount", max_value=0),
        rule("expect_column_values_to_match_regex_list", column="page", regex_list=["^/"]),
    ]
    assert gate(nothing, suite(tmp_path, *rules), settings).success
    with pytest.raises(GateFailed, match="found 0"):
        gate(nothing, suite(tmp_path, *rules, rule("expect_table_row_count_to_be_between", min_value=1)), settings)


def test_a_missing_column_breaks_its_rules(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    with pytest.raises(GateFailed, match="no column colour"):
        gate(events, suite(tmp_path, rule("expect_column_values_to_not_be_null", column="colour")), settings)


def test_what_does_not_compile_is_judged_by_gx(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    path = suite(tmp_path, rule("expect_column_values_to_match_regex_list", column="page", regex_list=["^/"]))
    with pytest.raises(GateFailed, match="for 1 of 4 rows"):
        gate(events, path, settings)


def test_a_rule_that_gx_cannot_compute_is_an_error_and_no_verdict(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path
) -> None:
    query = rule("unexpected_rows_expectation", unexpected_rows_query="SELECT nonsense FROM {batch}")
    with pytest.raises(MillraceError, match="nonsense") as caught:
        gate(events, suite(tmp_path, query), settings)
    assert not isinstance(caught.value, GateFailed)


def test_an_expectation_that_gx_refuses_is_never_skipped(events: DataFrame, settings: Settings, tmp_path: Path) -> None:
    path = suite(tmp_path, rule("expect_column_values_to_be_lovely", column="page"))
    with pytest.raises(ConfigError, match=r"suite.json: expectation 1 \(expect_column_values_to_be_lovely\)"):
        gate(events, path, settings)


def test_the_verdict_stands_without_clickhouse(
    events: DataFrame,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def down(*_: object) -> RecordingClient:
        raise TransientError("nobody there")

    monkeypatch.setattr("millrace.clickhouse.client.connect", down)
    result = gate(events, suite(tmp_path, rule("expect_column_to_exist", column="page")), settings)
    assert result.success
    assert "could not be written to ClickHouse: nobody there" in caplog.text


def test_old_pages_of_data_docs_go(
    events: DataFrame, settings: Settings, clickhouse: RecordingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_jobs.gates.data_docs.KEPT_PAGES", 2)
    path = suite(tmp_path, rule("expect_column_to_exist", column="page"))
    gates = [gate(events, path, settings).gate_id for _ in range(3)]
    pages = [p.name for p in (settings.state_dir / "data_docs" / "silver" / "user_events").glob("*.html")]
    assert len(pages) == 2
    assert not any(gates[0] in name for name in pages)
