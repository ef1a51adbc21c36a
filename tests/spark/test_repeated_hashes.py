"""The aggregate that finds numbers that occur more than once, beside Spark's own grouping."""

import pytest
from great_expectations.validator.metric_configuration import MetricConfigurationID
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.gates.measure import Plan, measure, named
from spark_jobs.gates.metrics import Metric, metric_sql, uniqueness_looks

MOST = 4_000_000


def repeated(numbers: DataFrame) -> list[int] | None:
    found: list[int] | None = numbers.selectExpr("repeated_hashes(n) AS again").collect()[0]["again"]
    return found


def test_each_repeated_number_is_told_once(spark: SparkSession) -> None:
    numbers = [(n,) for n in (1, 2, 2, 3, 3, 3, None, None, -5, -5)]
    assert repeated(spark.createDataFrame(numbers, "n bigint").repartition(3)) == [-5, 2, 3]


def test_of_nothing_nothing_repeats(spark: SparkSession) -> None:
    assert repeated(spark.createDataFrame([(None,), (None,)], "n bigint")) == []
    assert repeated(spark.createDataFrame([], "n bigint")) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_it_agrees_with_grouping(spark: SparkSession, seed: int) -> None:
    numbers = (
        spark.range(0, 50_000, 1, 5).selectExpr(f"cast(rand({seed}) * 100000 AS bigint) * 7 AS n").localCheckpoint()
    )
    grouped = numbers.groupBy("n").count().where("count > 1").collect()
    assert repeated(numbers) == sorted(row["n"] for row in grouped)


@pytest.mark.parametrize("tasks", [1, 3])
@pytest.mark.parametrize(("count", "told"), [(MOST, True), (MOST + 1, False)])
def test_above_a_number_it_says_that_it_cannot_tell(spark: SparkSession, count: int, told: bool, tasks: int) -> None:
    found = repeated(spark.range(0, count, 1, tasks).selectExpr("id AS n"))
    assert found == ([] if told else None)


@pytest.mark.parametrize(("keys", "broken"), [("abc", 0), ("abcbb", 3)])
def test_what_one_look_cannot_tell_the_next_one_does(spark: SparkSession, keys: str, broken: int) -> None:
    rows = spark.createDataFrame([(key,) for key in keys], "id string")
    rule = Metric("column_values.unique.unexpected_count", {"column": "id"}, {})
    i = MetricConfigurationID(rule.name, "of all rows", "")
    with named(rows) as relation:
        gathered, grouped = uniqueness_looks(rule, relation)
        for looks in [(gathered, grouped), ("-1", grouped), ("-1", "-1")]:
            plan = Plan({i: str(metric_sql(rule, relation))}, relation, {i: looks})
            assert measure(rows, plan) == (len(keys), {i: broken})
