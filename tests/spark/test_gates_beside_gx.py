"""Rules compiled into one aggregate judge as plain Great Expectations does."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings as examples, strategies as st
from pyspark.sql import SparkSession

from tests.spark.suites import rule, suite

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
