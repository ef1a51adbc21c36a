"""What is planned once gives what is planned for each batch: compiled in one piece, or in many where it is large."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.sql import DataFrame, SparkSession, functions as F

from millrace.contracts.source import Source
from spark_jobs.stream_app import PLAN_ONCE
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.live_rows import live_rows
from tests.spark import poison
from tests.spark.poison import Poison
from tests.spark.test_poison import among_good

TIMES = 4


@pytest.fixture(params=["user_events", "wide"])
def records(compiling: SparkSession, request: pytest.FixtureRequest) -> tuple[DataFrame, Source]:
    """Good records among hostile ones; Spark divides them among its tasks."""
    source: Source = request.getfixturevalue(request.param)
    hostile: dict[str, list[Poison]] = {"user_events": list(poison.user_events()), "wide": list(poison.wide())}
    good = poison.LINE if request.param == "user_events" else json.dumps(poison.WIDE).encode()
    return among_good(compiling, source, hostile[request.param], good), source


def analysed(rows: DataFrame) -> DataFrame:
    """Over Connect a plan is analysed as a whole, hints first; where a column is added, what is below it is before."""
    return rows.withColumn("one", F.lit(1))


def steps(rows: DataFrame) -> str:
    return str(rows._explain_string(mode="simple"))  # type: ignore[operator]


def test_landing_decodes_the_same(records: tuple[DataFrame, Source]) -> None:
    rows, source = records
    each = decode(rows, source)
    once = each.hint(PLAN_ONCE)
    assert "PlannedOnce" in steps(once)
    assert once.orderBy("offset").toArrow() == each.orderBy("offset").toArrow()


def test_live_makes_the_same_rows_from_many_tasks_at_once(records: tuple[DataFrame, Source]) -> None:
    rows, source = records
    each = analysed(live_rows(decode(rows, source), source, b"key"))
    once = each.hint(PLAN_ONCE)
    assert "PlannedOnce" in steps(once)
    wanted = each.orderBy("kafka_offset").toArrow()
    with ThreadPoolExecutor(TIMES) as pool:
        found = list(pool.map(lambda _: once.orderBy("kafka_offset").toArrow(), range(TIMES)))
    assert found == [wanted] * TIMES


@pytest.mark.parametrize(
    "changing",
    [
        pytest.param(lambda rows: rows.withColumn("x", F.rand()), id="chance"),
        pytest.param(lambda rows: rows.withColumn("x", F.current_timestamp()), id="the time"),
        pytest.param(lambda rows: rows.groupBy("id").count(), id="a group"),
        pytest.param(lambda rows: rows.join(rows.sparkSession.range(9), "id"), id="a second source"),
    ],
)
def test_what_differs_from_batch_to_batch_is_planned_for_each(compiling: SparkSession, changing: object) -> None:
    rows = changing(compiling.range(5)).hint(PLAN_ONCE)  # type: ignore[operator]
    assert "PlannedOnce" not in steps(rows)
    assert rows.count() == 5
