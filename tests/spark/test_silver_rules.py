"""Which bronze rows silver takes: the transforms alone, without a lake."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession, functions as F

from millrace.contracts.avro import read_record
from millrace.contracts.columns import bronze_columns
from millrace.contracts.read import read_source
from millrace.contracts.source import Source, source_from
from millrace.errors import ConfigError
from millrace.settings import ROOT
from spark_jobs.edges.refinement import read_refinement
from spark_jobs.transforms.silver import CONTRADICTING, FRESH, OUTCOME, REPEATED, conform, judge, sort_out
from tests.spark.tiny_lake import Row, event

SOURCE = read_source(ROOT / "sources" / "shop" / "user_events")
MINUTES = SOURCE.dedup_window / timedelta(minutes=1)


def frame(spark: SparkSession, *rows: Row) -> DataFrame:
    columns = bronze_columns(SOURCE)
    schema = ", ".join(f"`{c.name}` {c.spark_type}" for c in columns)
    return spark.createDataFrame([tuple(row[c.name] for c in columns) for row in rows], schema)


def offsets(df: DataFrame) -> list[int]:
    return sorted(row[0] for row in df.select("kafka_offset").collect())


def which(rows: DataFrame, *outcomes: str) -> list[int]:
    judged = rows.transform(judge, SOURCE, {}).transform(sort_out, SOURCE)
    return offsets(judged.where(F.col(OUTCOME).isin(*outcomes)))


def repeats(rows: DataFrame) -> list[int]:
    return which(rows, REPEATED, CONTRADICTING)


def test_a_repeat_counts_from_the_one_before_it(spark: SparkSession):
    rows = frame(
        spark,
        event(0, 0),
        event(1, MINUTES, event_id="e0"),
        event(2, 2 * MINUTES, event_id="e0"),
        event(3, 3 * MINUTES + 1, event_id="e0"),
        event(4, 1),
    )
    assert repeats(rows) == [1, 2]


def test_of_one_moment_the_lower_partition_and_offset_win(spark: SparkSession):
    rows = frame(
        spark,
        event(7, 0, event_id="a", kafka_partition=1),
        event(9, 0, event_id="a"),
        event(8, 0, event_id="a"),
    )
    assert repeats(rows) == [7, 9]


def test_only_within_the_window_is_it_a_repeat(spark: SparkSession):
    earlier = [event(0, 0, event_id="a"), event(1, 0, event_id="b"), event(2, 0, event_id="c")]
    rows = [event(5, MINUTES, event_id="a"), event(6, MINUTES + 1, event_id="b"), event(7, 9)]
    assert repeats(frame(spark, *earlier, *rows)) == [5]


def test_a_refused_row_makes_no_repeat(spark: SparkSession):
    refused = event(0, 0, event_id="a", timestamp=datetime(1999, 12, 31, tzinfo=UTC))
    assert repeats(frame(spark, refused, event(1, 1, event_id="a"), event(2, 2, event_id="a"))) == [2]


def test_a_repeat_with_a_content_of_its_own_contradicts(spark: SparkSession):
    same = {"event_id": "a", "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}
    rows = frame(
        spark,
        event(0, 0, **same),
        event(1, 1, **same),
        event(2, 2, **same, page="/other"),
        event(3, 3, **same, page="/other"),
        event(4, 4, **same),
    )
    assert which(rows, CONTRADICTING) == [2]
    assert which(rows, REPEATED) == [1, 3, 4]


def test_equal_maps_do_not_contradict_whatever_the_order_of_their_keys(spark: SparkSession, tmp_path: Path):
    counts = {"type": "map", "values": "int"}
    part = {"type": "record", "name": "Part", "fields": [{"name": "counts", "type": {"type": "map", "values": counts}}]}
    kinds = {
        "id": "string", "at": {"type": "long", "logicalType": "timestamp-micros"}, "counts": ["null", counts],
        "parts": ["null", {"type": "array", "items": part}],
    }  # fmt: skip
    folder = tmp_path / "mapped"
    folder.mkdir()
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    (folder / "event.avsc").write_text(json.dumps({"type": "record", "name": "Mapped", "fields": fields}))
    contract = {"owner": "x", "description": "x", "topic": {"name": "mapped"}, "event": {"id": "id", "time": "at"}}
    mapped = source_from(contract, folder, read_record(folder / "event.avsc"))
    inner = "array(named_struct('counts', map('x', map('a', {a}, 'b', 2), 'y', map('c', 3))))"
    turned = "array(named_struct('counts', map('y', map('c', 3), 'x', map('b', 2, 'a', {a}))))"
    told = [
        ("map('a', 1, 'b', 2)", inner.format(a=1)),
        ("map('b', 2, 'a', 1)", turned.format(a=1)),
        ("map('a', 1, 'b', 2)", turned.format(a=9)),
        ("map('a', 2, 'b', 1)", inner.format(a=1)),
        ("NULL", "NULL"),
        ("NULL", "NULL"),
    ]
    rows = spark.sql(
        " UNION ALL ".join(
            f"SELECT 'i' AS id, timestamp'2026-01-01' AS at, {counts} AS counts, {parts} AS parts, NULL AS reason, "
            f"timestamp'2026-01-01 00:00:0{n}' AS append_time, 0 AS kafka_partition, {n}L AS kafka_offset"
            for n, (counts, parts) in enumerate(told)
        )
    )
    found = {row[0]: row[1] for row in sort_out(rows, mapped).select("kafka_offset", OUTCOME).collect()}
    assert found == {0: FRESH, 1: REPEATED, 2: CONTRADICTING, 3: CONTRADICTING, 4: CONTRADICTING, 5: REPEATED}


def test_columns_that_the_table_lacks_read_as_null(spark: SparkSession):
    old = frame(spark, event(0, 0)).drop("page", "unknown_fields")
    row = conform(old, bronze_columns(SOURCE)).collect()[0]
    assert (row["page"], row["event_id"]) == (None, "e0")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return SOURCE.model_copy(update={"folder": tmp_path})


def test_a_source_refines_and_rejects_by_its_own_rules(spark: SparkSession, source: Source):
    (source.folder / "silver.py").write_text(
        "from pyspark.sql import functions as F\n"
        "REJECT_RULES = {'page is not a path': \"NOT startswith(page, '/')\"}\n"
        "def refine(df):\n"
        "    return df.withColumn('page', F.trim('page'))\n"
    )
    own = read_refinement(source)
    rows = frame(spark, event(0, 0, page=" /a "), event(1, 1, page="a"), event(2, 2, event_id="", page="a"))
    judged = own.refine(rows).transform(judge, source, own.reject_rules)
    reasons = {row[0]: row[1] for row in judged.select("kafka_offset", "reason").collect()}
    assert reasons == {0: None, 1: "page is not a path", 2: "event_id is missing or blank"}
    assert judged.where(F.col("kafka_offset") == 0).collect()[0]["page"] == "/a"


@pytest.mark.parametrize("text", ["refine = 3", "import nothing_of_this_name", "REJECT_RULES = ['x']"])
def test_a_broken_silver_py_is_named(source: Source, text: str):
    (source.folder / "silver.py").write_text(text)
    with pytest.raises(ConfigError, match=r"silver\.py:1"):
        read_refinement(source)
