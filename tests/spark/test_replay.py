"""Quarantined records after a fix: which would be good, which not, and that none changes its identity."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession, functions as F

from millrace.contracts.catalog import read_catalog
from millrace.contracts.source import Source
from millrace.errors import ConfigError
from millrace.quarantine.request import Selection
from millrace.settings import ROOT
from spark_jobs.edges.quarantined import as_line, oldest, originals, selected, table_of, without
from spark_jobs.transforms.bronze import quarantine_rows
from spark_jobs.transforms.decode import decode, explain
from spark_jobs.transforms.encode import encoded, record_key
from spark_jobs.transforms.replay import event_ids, fixed, group_id, outcomes, reason_group, verdicts
from tests.spark.poison import EVENT
from tests.spark.tiny_lake import TinyLake, event

RECORDS = (
    "key binary, value binary, headers array<struct<key: string, value: binary>>, kafka_topic string, "
    "kafka_partition int, kafka_offset bigint, append_time timestamp, reason string"
)
APPENDED = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEB = """regexp_replace(text, '"source":"WEB"', '"source":"web"')"""


@pytest.fixture(scope="module")
def source() -> Source:
    return read_catalog(ROOT).source("user_events")


def compact(**changes: Any) -> bytes:
    return json.dumps(EVENT | changes, separators=(",", ":")).encode()


def records(spark: SparkSession, *values: bytes | None) -> DataFrame:
    rows = [(b"k", v, [], "user-events", 0, number, APPENDED, "") for number, v in enumerate(values)]
    return spark.createDataFrame(rows, RECORDS)


def lake_records(spark: SparkSession, *values: bytes | None) -> DataFrame:
    """With the columns that Kafka gives, one second apart."""
    headers = [("trace", b"\xff")]
    rows = [
        (b"k", v, headers, "user-events", 0, number, APPENDED + timedelta(seconds=number))
        for number, v in enumerate(values)
    ]
    columns = "topic string, partition int, offset bigint, timestamp timestamp"
    return spark.createDataFrame(rows, f"{RECORDS.split(', kafka_topic', maxsplit=1)[0]}, {columns}")


def judged(spark: SparkSession, source: Source, fix: str | None, *values: bytes | None, **own: Any) -> list[Row]:
    own = {"refine": lambda df: df, "rules": {}} | own
    rows = verdicts(fixed(records(spark, *values), source, {}, fix), source, {}, **own).collect()
    return sorted(rows, key=lambda row: row["_original"]["kafka_offset"])


def test_a_fix_makes_the_record_good_and_keeps_the_original(spark: SparkSession, source: Source):
    [row] = judged(spark, source, WEB, compact(source="WEB"))
    assert row["reason"] is None
    assert bytes(row["value"]) == compact(source="web")
    assert bytes(row["_original"]["value"]) == compact(source="WEB")
    assert row["_event_id"] == EVENT["event_id"]


@pytest.mark.parametrize(
    ("fix", "value"),
    [
        ("""regexp_replace(text, '"user_id":"([0-9]+)"', '"user_id":$1')""", compact(user_id="12")),
        ("substring(value, 4)", b"\xef\xbb\xbf" + compact()),
        ("concat(text, '}')", compact()[:-1]),
        ("substring_index(text, '}', 1) || '}'", compact() + b" rubbish"),
        (
            "to_json(struct(event.event_id, event.user_id, event.event_type, coalesce(event.page, '/') AS page,"
            " get_json_object(text, '$.timestamp') AS timestamp, event.source))",
            compact(page=None),
        ),
    ],
)
def test_what_a_fix_may_use(spark: SparkSession, source: Source, fix: str, value: bytes):
    [row] = judged(spark, source, fix, value)
    assert row["reason"] is None, row
    assert row["_event_id"] == EVENT["event_id"]


def test_what_is_still_wrong_is_told(spark: SparkSession, source: Source):
    rows = judged(spark, source, WEB, compact(source="TV"), None, compact(timestamp="1980-01-01T00:00:00Z"))
    assert [row["reason"] for row in rows] == [
        "source: expected one of web, mobile, found TV",
        "no value (a tombstone)",
        "timestamp is before 2000",
    ]


def test_the_sources_own_rules_hold_for_it_too(spark: SparkSession, source: Source):
    [row] = judged(spark, source, None, compact(), rules={"page is secret": "page = '/products/detail'"})
    assert row["reason"] == "page is secret"


@pytest.mark.parametrize("value", [compact(source="WEB"), compact(source="WEB")[:-1] + b"} rest"])
def test_a_fix_may_not_change_the_event_id(spark: SparkSession, source: Source, value: bytes):
    other = json.dumps(EVENT | {"event_id": "another"}).replace("'", "")
    [row] = judged(spark, source, f"'{other}'", value)
    assert row["reason"] == "event_id: the fix changes it"


def test_the_id_of_a_record_that_is_cut_off_is_still_known(spark: SparkSession, source: Source):
    other = json.dumps(EVENT | {"event_id": "another"})
    [row] = judged(spark, source, f"'{other}'", compact()[:90])
    assert row["reason"] == "event_id: the fix changes it"


def test_a_record_without_an_id_may_be_given_one(spark: SparkSession, source: Source):
    [row] = judged(spark, source, """replace(text, '"event_id":null', '"event_id":"new"')""", compact(event_id=None))
    assert (row["reason"], row["_event_id"]) == (None, "new")


def test_a_fix_gives_text_or_bytes(spark: SparkSession, source: Source):
    with pytest.raises(ConfigError, match="the fix gives int"):
        judged(spark, source, "1", compact())


def test_what_has_landed_is_not_ready(spark: SparkSession, source: Source):
    rows = verdicts(
        fixed(records(spark, compact(), compact(event_id="b"), b"x"), source, {}, None), source, {}, lambda df: df, {}
    )
    landed = event_ids(spark.createDataFrame([(EVENT["event_id"],), (EVENT["event_id"],)], "event_id string"), source)
    found = outcomes(rows, landed).orderBy("_original.kafka_offset").collect()
    assert [row["outcome"] for row in found] == ["landed", "ready", "refused"]


def test_a_bronze_row_becomes_its_record_again(spark: SparkSession, source: Source):
    value = json.dumps(EVENT | {"new_field": {"a": [1, "x"]}}).encode()
    decoded = decode(records(spark, value, compact()), source)
    rows = decoded.select(*[F.col("event")[name].alias(name) for name in source.fields], "unknown_fields")
    again = rows.select(encoded(source, None).alias("value"), record_key(source).alias("key")).collect()
    first, second = (json.loads(row["value"]) for row in again)
    assert first.pop("new_field") == {"a": [1, "x"]}
    for made in (first, second):
        assert datetime.fromisoformat(made.pop("timestamp")) == datetime(2026, 1, 1, 12, tzinfo=UTC)
        assert made == {name: value for name, value in EVENT.items() if name != "timestamp"}
    assert [bytes(row["key"]) for row in again] == [b"click", b"click"]
    assert [row["good"] for row in decode(spark.createDataFrame(again), source).collect()] == [True, True]


@pytest.mark.parametrize(
    ("reason", "group"),
    [
        ('user_id: expected int, found "12abc"', "user_id: expected int, found ..."),
        ('user_id: expected int, found "a\nb, found c"', "user_id: expected int, found ..."),
        ("user_id: expected int, found nothing", "user_id: expected int, found nothing"),
        (
            "source: expected one of web, mobile, found x, found nothing",
            "source: expected one of web, mobile, found ...",
        ),
        ("source: expected one of web, mobile, found TV", "source: expected one of web, mobile, found ..."),
        (
            "no record of schema id 12, or no such schema in the registry",
            "no record of schema id ..., or no such schema in the registry",
        ),
        ("not a JSON object", "not a JSON object"),
        ("the key 'ann@\nx.com' twice", "the key ... twice"),
        ("record of 2097152 bytes, the contract allows 1048576", "record of ... bytes, the contract allows 1048576"),
    ],
)
def test_reasons_that_say_the_same_are_one_group(spark: SparkSession, reason: str, group: str):
    rows = spark.createDataFrame([(reason,)], "reason string")
    assert rows.select(reason_group(F.col("reason"))).collect()[0][0] == group


def test_a_group_belongs_to_a_source_and_a_stage(spark: SparkSession):
    places = [("a", "landing"), ("b", "landing"), ("a", "silver"), ("a", "landing")]
    rows = spark.createDataFrame([(*place, "x, found 1") for place in places], "source string, stage string, r string")
    ids = [row[0] for row in rows.select(group_id(F.col("source"), F.col("stage"), F.col("r"))).collect()]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]
    assert {len(group) for group in ids} == {8}


def test_every_reason_that_landing_gives_has_a_group(spark: SparkSession, source: Source):
    """No value of a record may stay in the group: it goes to logs and to Airflow."""
    bad = [
        compact(user_id="secret"),
        compact(source="secret"),
        compact(page={"secret": 1}),
        compact(timestamp="secret"),
    ]
    rows = explain(records(spark, *bad).drop("reason"), source)
    assert not [row for row in rows.select(reason_group(F.col("reason"))).collect() if "secret" in row[0]]


class TestLake:
    """What a selection finds in the tables that landing and silver write."""

    def test_landings_records_by_group_time_and_decision(self, lake: TinyLake, source: Source):
        values = [compact(source="WEB"), compact(source="TV"), compact(user_id="1"), b"x"]
        bad = decode(lake_records(lake.spark, *values), source).drop("event", "good", "unknown_fields")
        path = table_of(lake.settings, source.name, "landing")
        quarantine_rows(bad, source).write.format("delta").partitionBy("append_hour").save(path)

        def offsets(**conditions: Any) -> list[int]:
            wanted = Selection(source=source.name, **conditions)
            return sorted(row["kafka_offset"] for row in selected(lake.spark, lake.settings, wanted, 0).collect())

        stored = lake.spark.read.format("delta").load(path)
        ids = group_id(F.lit(source.name), F.lit("landing"), F.col("reason"))
        group = stored.where("kafka_offset = 0").select(ids).collect()[0][0]
        assert offsets() == [0, 1, 2, 3]
        assert offsets(group=group) == [0, 1]
        assert offsets(reason="not a JSON") == [3]
        assert offsets(since=APPENDED + timedelta(seconds=1), until=APPENDED + timedelta(seconds=3)) == [1, 2]
        left = without(stored, [("user-events", 0, 0), ("user-events", 1, 1)])
        assert sorted(row["kafka_offset"] for row in left.collect()) == [1, 2, 3]
        assert [row["kafka_offset"] for row in oldest(left, 1).collect()] == [1]
        first = originals(stored, lake.settings, source, "landing").where("kafka_offset = 0").collect()[0]
        assert bytes(first["value"]) == values[0]
        line = as_line(first)
        assert (line["key"], line["headers"]) == ("k", [{"key": "trace", "value_base64": "/w=="}])

    def test_what_silver_refused_is_made_again_from_bronze(self, lake: TinyLake, source: Source):
        old = datetime(1990, 1, 1, 12, tzinfo=UTC)
        lake.land(event(0, 1), event(1, 2, timestamp=old, unknown_fields='{"more":1}', event_type="login"))
        lake.refine(0, 1)
        wanted = Selection(source=source.name, stage="silver")
        [row] = originals(selected(lake.spark, lake.settings, wanted, 1), lake.settings, source, "silver").collect()
        assert (row["kafka_offset"], row["reason"], bytes(row["key"])) == (1, "timestamp is before 2000", b"login")
        value = json.loads(row["value"])
        assert (value["event_id"], value["more"]) == ("e1", 1)
        assert datetime.fromisoformat(value["timestamp"]) == old
