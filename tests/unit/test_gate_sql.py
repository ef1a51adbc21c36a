"""What a gate asks Spark: the SQL of GX's metrics, and the words of a failure."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from spark_jobs.gates.metrics import Metric, metric_sql, sample_sql, uniqueness_looks
from spark_jobs.gates.result import GateResult, RuleResult, failure_message
from spark_jobs.gates.sql_text import literal

SPARK_CONDITION = {"type": "pass_through", "pass_through_filter": "page = '/'"}
OTHER_CONDITION = {"type": "comparison", "column": {"name": "b"}, "operator": ">", "parameter": 1}


def column(name: str, **values: object) -> Metric:
    return Metric(name, {"column": "a b", "row_condition": None}, values)


@pytest.mark.parametrize(
    ("metric", "sql"),
    [
        (column("table.row_count"), "count(*)"),
        (column("column_values.nonnull.unexpected_count"), "count_if((`a b` IS NULL))"),
        (
            column("column_values.in_set.unexpected_count", value_set=["x", 2]),
            "count_if((`a b` IS NOT NULL AND NOT (`a b` IN ('x', 2))))",
        ),
        (
            column("column_values.between.unexpected_count", min_value=0, max_value=1.5, strict_max=True),
            "count_if((`a b` IS NOT NULL AND NOT (`a b` >= 0 AND `a b` < 1.5D)))",
        ),
        (column("column.max"), "max(`a b`)"),
        (Metric("column.max", {"column": "c", "row_condition": SPARK_CONDITION}, {}),
         "max(`c`) FILTER (WHERE page = '/')"),
        (column("column_values.unique.unexpected_count"),
         "(SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM t WHERE (`a b` IS NOT NULL)"
         " GROUP BY `a b` HAVING count(*) > 1))"),
        (Metric("column_pair_values.equal.unexpected_count",
                {"column_A": "a", "column_B": "b", "ignore_row_if": "both_values_are_missing"}, {}),
         "count_if(((NOT (`a` IS NULL AND `b` IS NULL)) AND (NOT (`a` <=> `b`))))"),
        (column("column_values.json_parseable.unexpected_count"), None),
        (Metric("table.row_count", {"row_condition": OTHER_CONDITION}, {}), None),
    ],
)  # fmt: skip
def test_metrics_become_sql_or_are_left_to_gx(metric: Metric, sql: str | None) -> None:
    assert metric_sql(metric, "t") == sql


def test_uniqueness_is_looked_for_by_hashes_first() -> None:
    pair = Metric("compound_columns.unique.unexpected_count", {"column_list": ["a", "b"]}, {})
    assert uniqueness_looks(pair, "t") == (
        "(SELECT coalesce(size(repeated_hashes(xxhash64(`a`, `b`)) FILTER (WHERE true)), -1) FROM t)",
        "(SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM t WHERE true"
        " GROUP BY xxhash64(`a`, `b`) HAVING count(*) > 1))",
    )
    assert uniqueness_looks(column("column_values.nonnull.unexpected_count"), "t") == ()


def test_samples_are_asked_for_with_the_same_condition() -> None:
    metric = column("column_values.match_regex.unexpected_values", regex="^\\d")
    assert sample_sql(metric, "t", "page", 5) == (
        "SELECT page FROM t WHERE (`a b` IS NOT NULL AND NOT (`a b` RLIKE '^\\\\d')) LIMIT 5"
    )
    assert sample_sql(column("column_values.json_parseable.unexpected_values"), "t", "page", 5) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"), (True, "true"), (3, "3"), (0.1, "0.1D"), ("it's \\d", "'it\\'s \\\\d'"),
        (datetime(2026, 1, 2, 3), "TIMESTAMP '2026-01-02 03:00:00'"),  # noqa: DTZ001  GX parses them so
        (datetime(2026, 1, 2).date(), "DATE '2026-01-02'"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_literals(value: object, text: str) -> None:
    assert literal(value) == text


def rule(severity: str, success: bool) -> RuleResult:
    return RuleResult("expect_x", ("page",), '{"regex": "^/"}', severity, success, unexpected=1204, samples=("one",))


def result(*rules: RuleResult) -> GateResult:
    return GateResult("silver.e.h.1", "silver", "e", "h", "run", datetime(2026, 1, 1, tzinfo=UTC), 5000, rules)


def test_only_critical_rules_block() -> None:
    assert result(rule("critical", True)).severity is None
    assert result(rule("warning", False)).success
    mixed = result(rule("warning", False), rule("critical", False))
    assert (mixed.success, mixed.severity, mixed.broken[0].severity) == (False, "critical", "critical")


def test_a_failure_says_which_rule_how_often_and_what_to_do() -> None:
    message = failure_message(result(rule("critical", False)), Path("/p/expectations/silver/e.json"), Path("/d/x.html"))
    assert '[critical] page: expect_x {"regex": "^/"} broke for 1,204 of 5,000 rows; e.g. one' in message
    assert "file:///d/x.html" in message
    assert "ops.gate_results WHERE gate_id = 'silver.e.h.1'" in message
    assert "/p/expectations/silver/e.json" in message
