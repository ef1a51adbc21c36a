"""What lies between the live table and a stream model, without ClickHouse and without Spark's JVM."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from pyspark.sql.datasource import InputPartition
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxRows
from pyspark.sql.types import (
    BinaryType,
    DateType,
    DecimalType,
    FloatType,
    IntegerType,
    StringType,
    StructType,
    TimestampType,
)

from millrace.contracts.catalog import read_catalog
from millrace.contracts.columns import live_columns
from millrace.contracts.model import StreamModel
from millrace.contracts.sql import columns_read, parse_model
from millrace.errors import TransientError
from millrace.settings import ROOT, Settings
from spark_jobs.edges import live_stream
from spark_jobs.edges.live_stream import LiveStream, conformed
from spark_jobs.stream_model import columns_wanted, most_records

SCHEMA = StructType().add("name", StringType())
MODEL = StreamModel(
    name="m", domain="shop", path=Path("m.sql"), sql="", inputs=("user_events",), watermark="2 minutes", key=("n",)
)  # fmt: skip


class FakeClickHouse:
    """Answers each question with the next answer; an error is raised instead."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), []

    def query(self, sql: str) -> Any:
        return SimpleNamespace(result_rows=self._next(sql))

    @contextmanager
    def query_arrow_stream(self, sql: str) -> Iterator[Iterator[pa.RecordBatch]]:
        answer = self._next(sql)
        yield (_raise(item) if isinstance(item, Exception) else item for item in answer)

    def _next(self, sql: str) -> Any:
        self.asked.append(sql)
        answer = self.answers.pop(0)
        return _raise(answer) if isinstance(answer, Exception) else answer


def _raise(error: Exception) -> Any:
    raise error


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(*answers: Any) -> FakeClickHouse:
        fake = FakeClickHouse(*answers)
        monkeypatch.setattr(live_stream, "_client", lambda: fake)
        return fake

    return give


def reader() -> Any:
    return LiveStream({"source": "events", "limit": "10", "slices": "2"}).streamReader(SCHEMA)


class TestReader:
    def test_a_short_backlog_is_one_batch(self, answering: Any) -> None:
        fake, stream = answering([(0, 3, 9, 70), (4, 1, 2, 60)]), reader()
        end = stream.latestOffset(stream.initialOffset(), stream.getDefaultReadLimit())
        assert end == {"events": {"0": 9, "4": 2}, "_append_time": {"0": 70, "4": 60}}
        assert end == stream.reportLatestOffset()
        assert len(fake.asked) == 1

    def test_a_long_backlog_is_shortened_and_reported_whole(self, answering: Any) -> None:
        answering([(0, 0, 1_000, 70)], [(0, 33)])
        stream = reader()
        end = stream.latestOffset(stream.initialOffset(), ReadMaxRows(10))
        assert end == {"events": {"0": 10}, "_append_time": {"0": 33}}
        assert stream.reportLatestOffset()["events"] == {"0": 1_000}

    def test_who_asks_for_everything_gets_it(self, answering: Any) -> None:
        answering([(0, 0, 1_000, 70)])
        assert reader().latestOffset(reader().initialOffset(), ReadAllAvailable())["events"] == {"0": 1_000}

    def test_nothing_new_is_the_same_offset(self, answering: Any) -> None:
        start = {"events": {"0": 10}, "_append_time": {"0": 33}}
        answering([(0, 2, 10, 33)])
        assert reader().latestOffset(start, ReadMaxRows(10)) == start

    def test_a_repeated_batch_knows_of_nothing_newer(self) -> None:
        assert reader().reportLatestOffset() is None

    def test_partitions_are_read_in_a_few_groups(self) -> None:
        end = {"events": {"0": 9, "1": 5, "2": 7}, "_append_time": {"0": 1, "1": 1, "2": 1}}
        groups = reader().partitions(reader().initialOffset(), end)
        assert [[span.partition for span in group.value] for group in groups] == [[0, 1], [2]]
        assert reader().partitions(end, end) == []

    def test_its_options_hold_nothing_but_names_and_numbers(self) -> None:
        assert set(vars(reader())) == {"_source", "_limit", "_slices", "_table", "_schema", "_newest"}


class TestErrors:
    ROWS = InputPartition(())

    @pytest.mark.parametrize(
        "error", [OperationalError("away"), ConnectionRefusedError(), DatabaseError("x", code=241)]
    )
    def test_what_passes_goes_by_one_name(self, answering: Any, error: Exception) -> None:
        answering(error)
        with pytest.raises(TransientError, match="ClickHouse did not give the rows"):
            list(reader().read(self.ROWS))

    def test_an_answer_that_breaks_off_passes(self, answering: Any) -> None:
        answering([pa.record_batch({"name": ["a"]}), pa.ArrowInvalid("Expected to read 8 bytes, got 3")])
        with pytest.raises(TransientError, match="ArrowInvalid"):
            list(reader().read(self.ROWS))

    def test_a_bug_stays_a_bug(self, answering: Any) -> None:
        answering(DatabaseError("no such column", code=16))
        with pytest.raises(DatabaseError):
            list(reader().read(self.ROWS))

    def test_a_wrong_type_is_no_torn_answer(self, answering: Any) -> None:
        answering([pa.record_batch({"name": pa.array([[1]])})])
        with pytest.raises(pa.ArrowNotImplementedError):
            list(reader().read(self.ROWS))


def test_rows_have_exactly_the_types_that_spark_was_told() -> None:
    kinds = {
        "text": StringType(), "bytes": BinaryType(), "at": TimestampType(), "day": DateType(), "part": IntegerType(),
        "price": DecimalType(12, 2), "share": FloatType(),
    }  # fmt: skip
    schema = StructType()
    for name, kind in kinds.items():
        schema = schema.add(name, kind)
    moment = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
    from_clickhouse = pa.record_batch(
        {
            "share": pa.array([0.5], pa.float32()),
            "price": pa.array([Decimal("1.50")], pa.decimal128(12, 2)),
            "text": pa.array(["ä"]).dictionary_encode(),
            "bytes": pa.array([b"\xff\x00"]).view(pa.string()),
            "at": pa.array([moment], pa.timestamp("us", "UTC")),
            "day": pa.array([date(2026, 11, 21)], pa.date32()),
            "part": pa.array([3], pa.int32()),
        }
    )
    told = to_arrow_schema(schema, timezone="UTC")
    got = conformed(from_clickhouse, told)
    assert got.schema.equals(told)
    assert list(got.to_pylist()[0].values()) == [
        "ä", b"\xff\x00", moment, date(2026, 11, 21), 3, Decimal("1.50"), 0.5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT count(*) AS n FROM user_events GROUP BY window(event_time, '1 hour')", ["event_time"]),
        ("SELECT EVENT_TYPE AS n, page FROM user_events u", ["event_type", "page"]),
        ("SELECT u.source AS n FROM user_events u WHERE user_id IS NULL", ["user_id", "source"]),
        ("SELECT * FROM user_events", None),
        ("SELECT u.* FROM user_events u", None),
        ("SELECT to_json(struct(*)) AS n FROM user_events", None),
    ],
)
def test_a_model_reads_the_columns_that_it_names(sql: str, read: list[str] | None) -> None:
    columns = live_columns(read_catalog(ROOT).source("user_events"))
    found = [c.name for c in columns_read(parse_model(MODEL.model_copy(update={"sql": sql})), columns)]
    assert found == (read or [c.name for c in columns])


def test_conversions_need_three_columns() -> None:
    catalog = read_catalog(ROOT)
    [model] = [m for m in catalog.streams if m.name == "conversions_per_5_minutes"]
    columns = columns_wanted(catalog.source("user_events"), model)
    assert [c.name for c in columns] == ["event_type", "event_time", "append_time"]


@pytest.mark.parametrize(("trigger", "most"), [(0.25, 1_000), (2, 1_000), (10, 5_000)])
def test_a_model_takes_as_much_per_second_as_landing_does(trigger: float, most: int) -> None:
    settings = Settings(max_records_per_batch=1_000, landing_trigger_ms=2_000)
    assert most_records(settings, MODEL.model_copy(update={"trigger": timedelta(seconds=trigger)})) == most
