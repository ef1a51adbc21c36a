"""Contracts as values: durations, Avro types and the columns of each layer."""

import json
from pathlib import Path

import pytest
from fastavro import parse_schema
from hypothesis import given, strategies as st

from millrace.contracts.avro import read_record
from millrace.contracts.catalog import read_catalog, read_readable
from millrace.contracts.columns import bronze_columns, live_columns, silver_columns
from millrace.contracts.duration import format_duration, parse_duration
from millrace.contracts.problem import ContractError, Wrong
from millrace.contracts.source import Source
from millrace.settings import ROOT
from millrace.skeleton import new_source

PLAIN = {
    "string": ("string", "String"), "int": ("int", "Int32"), "long": ("bigint", "Int64"),
    "float": ("float", "Float32"), "double": ("double", "Float64"), "boolean": ("boolean", "Bool"),
    "bytes": ("binary", "String"),
}  # fmt: skip
LOGICAL = {
    "timestamp-millis": ("long", "timestamp", "DateTime64(6, 'UTC')"),
    "timestamp-micros": ("long", "timestamp", "DateTime64(6, 'UTC')"),
    "date": ("int", "date", "Date32"),
    "uuid": ("string", "string", "String"),
}


@given(st.integers(min_value=0, max_value=999_999), st.sampled_from(["second", "minute", "hour", "day"]))
def test_a_duration_survives_being_written_and_read(number: int, unit: str) -> None:
    value = parse_duration(f"{number} {unit}s")
    assert parse_duration(format_duration(value)) == value


@given(st.text(max_size=12) | st.none() | st.integers())
def test_what_is_no_duration_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(Wrong) as wrong:
        parse_duration(value)
    assert wrong.value.example == "2 minutes"


def record_of(tmp_path: Path, *fields: object) -> Path:
    path = tmp_path / "event.avsc"
    path.write_text(json.dumps({"type": "record", "name": "Event", "fields": fields}))
    return path


@pytest.mark.parametrize(("avro", "expected"), PLAIN.items())
def test_plain_types(tmp_path: Path, avro: str, expected: tuple[str, str]) -> None:
    (column,) = read_record(record_of(tmp_path, {"name": "x", "type": avro})).fields
    assert (column.spark_type, column.clickhouse_type) == expected


@pytest.mark.parametrize(("logical", "expected"), LOGICAL.items())
def test_logical_types(tmp_path: Path, logical: str, expected: tuple[str, str, str]) -> None:
    base, *types = expected
    field = {"name": "x", "type": ["null", {"type": base, "logicalType": logical}]}
    (column,) = read_record(record_of(tmp_path, field)).fields
    assert [column.spark_type, column.clickhouse_type] == [types[0], f"Nullable({types[1]})"]


def test_nested_types_and_names_used_again(tmp_path: Path) -> None:
    color = {"type": "enum", "name": "Color", "symbols": ["red", "blue"]}
    point = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": ["null", "int"]}]}
    money = {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}
    path = record_of(
        tmp_path,
        {"name": "color", "type": color},
        {"name": "other", "type": ["null", "Color"]},
        {"name": "path", "type": {"type": "array", "items": point}},
        {"name": "by_day", "type": {"type": "map", "values": "Point"}},
        {"name": "price", "type": money},
    )
    columns = {column.name: column for column in read_record(path).fields}
    assert columns["color"].symbols == columns["other"].symbols == ("red", "blue")
    assert columns["color"].clickhouse_type == "LowCardinality(String)"
    assert columns["other"].clickhouse_type == "Nullable(String)"
    assert columns["path"].spark_type == "array<struct<`x`:int>>"
    assert columns["by_day"].spark_type == "map<string,struct<`x`:int>>"
    assert columns["price"].spark_type == "decimal(10,2)"
    assert columns["price"].clickhouse_type == "Decimal(10, 2)"


AVRO_TYPES = st.recursive(
    st.sampled_from([*PLAIN, *({"type": base, "logicalType": name} for name, (base, *_) in LOGICAL.items())]),
    lambda inner: (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "map", "values": values}, inner)
        | st.builds(lambda kind: kind if isinstance(kind, list) else ["null", kind], inner)
    ),
    max_leaves=4,
)


@given(st.lists(AVRO_TYPES, min_size=1, max_size=4))
def test_every_schema_of_known_types_is_read(tmp_path_factory: pytest.TempPathFactory, types: list[object]) -> None:
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)]
    path = record_of(tmp_path_factory.mktemp("avro"), *fields)
    parse_schema(json.loads(path.read_text()))
    record = read_record(path)
    assert [column.name for column in record.fields] == [field["name"] for field in fields]
    assert [column.nullable for column in record.fields] == [isinstance(kind, list) for kind in types]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["array", "enum", "decimal", "date", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "items", "fields", "symbols", "logicalType"]), inner)
    ),
)


@given(JSON_VALUES)
def test_what_is_no_schema_is_refused_with_its_file(tmp_path_factory: pytest.TempPathFactory, kind: object) -> None:
    path = record_of(tmp_path_factory.mktemp("avro"), {"name": "x", "type": kind})
    with pytest.raises(ContractError) as refused:
        read_record(path)
    assert refused.value.problems[0].path == path


def test_a_default_that_avro_refuses_is_a_problem(tmp_path: Path) -> None:
    path = record_of(tmp_path, {"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["a", "a"]}})
    with pytest.raises(ContractError, match="a schema that Avro refuses"):
        read_record(path)


@pytest.fixture
def trips(tmp_path: Path) -> Source:
    new_source(tmp_path, "travel/trips")
    return read_catalog(tmp_path).source("trips")


def test_the_columns_of_each_layer(trips: Source) -> None:
    assert [column.name for column in bronze_columns(trips)] == [
        "event_id", "user_id", "action", "occurred_at", "unknown_fields", "ingestion_timestamp",
        "kafka_topic", "kafka_partition", "kafka_offset", "append_time", "append_hour",
    ]  # fmt: skip
    assert [column.name for column in live_columns(trips)] == [
        "event_id", "user_id", "action", "event_time", "append_time", "kafka_partition", "kafka_offset",
    ]  # fmt: skip
    assert [column.name for column in silver_columns(trips)] == [
        "event_id", "user_id", "action", "event_time", "event_date", "append_time", "append_hour",
        "kafka_partition", "kafka_offset", "ingestion_timestamp", "processed_timestamp", "unknown_fields",
    ]  # fmt: skip


def test_personal_fields_are_pseudonyms_or_gone(trips: Source) -> None:
    ruled = trips.model_copy(update={"pii": {"event_id": "pseudonym", "user_id": "drop"}})
    columns = {column.name: column for column in silver_columns(ruled)}
    assert "user_id" not in columns
    assert columns["event_id"].spark_type == "string"
    assert "user_id" in {column.name for column in bronze_columns(ruled)}


def test_what_can_be_read_is_read_beside_what_cannot(tmp_path: Path) -> None:
    new_source(tmp_path, "travel/trips")
    new_source(tmp_path, "media/clicks")
    (tmp_path / "sources/travel/trips/source.yaml").write_text("kind: push")
    catalog, problems = read_readable(tmp_path)
    assert [source.name for source in catalog.sources] == ["clicks"]
    assert {problem.path for problem in problems} == {tmp_path / "sources/travel/trips/source.yaml"}
    with pytest.raises(ContractError, match=r"sources/travel/trips/source\.yaml:1: found kind: 'push'"):
        read_catalog(tmp_path)


def test_a_source_feeds_gold_models_directly_and_through_others() -> None:
    shop = read_catalog(ROOT)
    fed = {model.name: model.inputs for model in shop.fed_by(shop.source("user_events"))}
    assert fed["fact_events"] == ("silver.user_events",)
    assert fed["dim_users"] == ("gold.user_days",)


def test_a_model_of_two_sources_is_fed_by_none_alone() -> None:
    shop = read_catalog(ROOT)
    source = shop.source("user_events")
    other = source.model_copy(update={"name": "other"})
    both = [
        m.model_copy(update={"inputs": (*m.inputs, "silver.other")}) if m.name == "user_days" else m
        for m in shop.models
    ]
    mixed = shop.model_copy(update={"sources": (source, other), "models": tuple(both)})
    alone = {model.name for model in mixed.fed_alone_by(source)}
    assert alone == {m.name for m in shop.fed_by(source)} - {"user_days", "dim_users"}
    assert mixed.fed_alone_by(other) == ()
