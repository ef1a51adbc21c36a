"""A gate's verdict, message and record, on Spark Connect; and that compiled rules judge as plain GX does."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings as examples, strategies as st
from pyspark.sql import DataFrame, SparkSession

from millrace.errors import ConfigError, MillraceError, TransientError
from millrace.settings import Settings
from spark_jobs.gates import GateFailed, GateResult, run_gate

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


def rule(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


def suite(folder: Path, *rules: dict[str, Any], **meta: Any) -> Path:
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "silver.user_events", "expectations": rules, "meta": meta}))
    return path


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


RULES = [
    rule("expect_column_values_to_not_be_null", column="k"),
    rule("expect_column_values_to_be_null", column="k"),
    rule("expect_column_values_to_be_unique", column="k"),
    rule("expect_column_values_to_be_unique", column="k", mostly=0.5),
    rule("expect_compound_columns_to_be_unique", column_list=["k", "a"]),
    rule("expect_compound_columns_to_be_unique", column_list=["k", "a"], ignore_row_if="any_value_is_missing"),
    rule("expect_column_values_to_be_in_set", column="k", value_set=["x", "y'\\"]),
    rule("expect_column_values_to_not_be_in_set", column="k", value_set=["x"], mostly=0.6),
    rule("expect_column_values_to_match_regex", column="k", regex="^[x-z]\\d*$"),
    rule("expect_column_values_to_not_match_regex", column="k", regex="\\\\|'"),
    rule("expect_column_value_lengths_to_be_between", column="k", min_value=1, max_value=1),
    rule("expect_column_value_lengths_to_equal", column="k", value=1, mostly=0.7),
    rule("expect_column_values_to_be_between", column="a", min_value=0, max_value=2, strict_max=True),
    rule("expect_column_values_to_be_between", column="b", max_value=1.5, mostly=0.5),
    rule(
        "expect_column_values_to_be_between", column="a", min_value=1, row_condition="b > 0", condition_parser="spark"
    ),
    rule("expect_column_pair_values_a_to_be_greater_than_b", column_A="a", column_B="b", or_equal=True),
    rule("expect_column_pair_values_a_to_be_greater_than_b", column_A="a", column_B="b", mostly=0.4),
    rule("expect_column_pair_values_to_be_equal", column_A="a", column_B="b"),
    rule("expect_column_pair_values_to_be_equal", column_A="a", column_B="b", ignore_row_if="either_value_is_missing"),
    rule("expect_column_min_to_be_between", column="a", min_value=0),
    rule("expect_column_max_to_be_between", column="b", max_value=2, strict_max=True),
    rule("expect_column_mean_to_be_between", column="b", min_value=0, max_value=2),
    rule("expect_column_sum_to_be_between", column="a", min_value=0, max_value=4),
    rule("expect_column_stdev_to_be_between", column="b", max_value=1),
    rule("expect_column_unique_value_count_to_be_between", column="k", max_value=2),
    rule("expect_column_proportion_of_non_null_values_to_be_between", column="k", min_value=0.7),
    rule("expect_table_row_count_to_be_between", max_value=5),
    rule("expect_column_values_to_match_regex_list", column="k", regex_list=["^x", "z"]),
    rule("expect_column_distinct_values_to_be_in_set", column="a", value_set=[0, 1, 2]),
]
ROW = st.tuples(
    st.sampled_from(["x", "y'\\", "z1", "", None]),
    st.integers(-1, 3) | st.none(),
    st.sampled_from([0.0, 1.5, 2.0, None]),
)


@examples(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_verdicts_equal_those_of_plain_gx(rows: list[tuple[Any, ...]], spark: SparkSession, tmp_path: Path) -> None:
    import great_expectations as gx

    from spark_jobs.gates.judge import judge
    from spark_jobs.gates.suite import read_suite, rules_of

    df = spark.createDataFrame(rows, "k string, a int, b double")
    path = suite(tmp_path, *RULES)
    _, ours = judge(df, rules_of(read_suite(path)), show=["k"], mask=frozenset())
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark("spark", persist=False).add_dataframe_asset("candidates")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": df})
    plain = batch.validate(read_suite(path), result_format="BASIC").results

    def found(verdicts: list[Any]) -> dict[str, tuple[Any, ...]]:
        return {
            f"{v.expectation_config.type} {rule_of(v)}": (
                v.success,
                v.result.get("unexpected_count") or 0,
                v.result.get("element_count"),
            )
            for v in verdicts
        }

    def rule_of(verdict: Any) -> dict[str, Any]:
        return {k: v for k, v in sorted(verdict.expectation_config.kwargs.items()) if k != "batch_id"}

    assert len(found(ours)) == len(RULES)
    assert found(ours) == found(plain)
