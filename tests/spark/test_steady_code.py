"""The same query over another hour runs the same generated code; without it, each hour's would be compiled anew."""

from pyspark.sql import SparkSession

QUERY = """
    SELECT date_diff(DATE'{hour:.10}', day) AS days, TIMESTAMP'{hour}' AS made_at, n
    FROM (
        SELECT timestamp_seconds(id) AS t, date_from_unix_date(cast(id AS int)) AS day, id * 7 AS n FROM range({most})
    )
    WHERE t >= TIMESTAMP'{hour}' - INTERVAL 1 HOUR AND t < TIMESTAMP'{hour}'
"""


def code(spark: SparkSession, hour: str, most: int = 9000) -> str:
    plan = str(spark.sql("EXPLAIN CODEGEN " + QUERY.format(hour=hour, most=most)).collect()[0][0])
    return plan.partition("Generated code:")[2]


def test_two_hours_have_one_code(compiling: SparkSession):
    first, second = code(compiling, "1970-01-01 01:00:00"), code(compiling, "1970-01-02 02:00:00")
    assert "argument" in first
    assert first == second


def test_and_give_the_rows_of_their_own_hour(compiling: SparkSession):
    def rows(hour: str) -> list[tuple[object, ...]]:
        found = compiling.sql(QUERY.format(hour=hour, most=9000))
        return [(row.days, f"{row.made_at:%H}", row.n) for row in found.orderBy("n").limit(1).collect()]

    assert rows("1970-01-01 01:00:00") == [(0, "01", 0)]
    assert rows("1970-01-01 02:00:00") == [(-3600, "02", 7 * 3600)]
