"""The parts of the stream application that need neither Spark nor a service."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from millrace.clickhouse.client import is_transient
from millrace.contracts.catalog import read_catalog
from millrace.errors import ConfigError, FencedError, TransientError
from millrace.settings import ROOT, Settings
from spark_jobs.edges import kafka_records
from spark_jobs.edges.conf import parallelism
from spark_jobs.edges.health import Health
from spark_jobs.edges.kafka_records import partitions_of, starting_offsets
from spark_jobs.edges.patience import Patience
from spark_jobs.edges.progress import Position, between
from spark_jobs.edges.quarantine import Quarantine
from spark_jobs.edges.upkeep import Upkeep
from spark_jobs.stream_model import since


def test_partitions_without_rows_start_at_the_beginning() -> None:
    assert starting_offsets("t", 3, {0: 5, 2: 7}) == '{"t": {"0": 5, "1": -2, "2": 7}}'


def test_a_broker_that_is_away_is_an_error_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_records, "_TIMEOUT", 0.5)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1 did not answer"):
        partitions_of(Settings(kafka_bootstrap="127.0.0.1:1"), "t")


def test_windows_that_began_before_the_live_table_does_are_not_published() -> None:
    starts = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(3)]
    results = pa.table({"window_start": pa.array(starts, pa.timestamp("us", "UTC")), "source": ["a", "b", "c"]})
    assert since(results, ("source", "window_start"), starts[1])["source"].to_pylist() == ["b", "c"]
    assert since(results, ("source",), starts[1]) == results


@pytest.mark.parametrize(
    ("first", "last", "records"),
    [
        ({"t": {"0": 5, "1": 2}}, {"t": {"0": 9, "1": 2}}, 4),
        (None, {"t": {"0": 9}}, 9),
        (None, None, 0),
        ({"t": {"0": 5}}, None, 0),
        ({"t": {"0": 5}}, {"t": {"0": 5, "1": 3}}, 3),
        ({"t": {"0": 5}, "_append_time": {"0": 70}}, {"t": {"0": 6}, "_append_time": {"0": 90}}, 1),
    ],
)
def test_records_between_positions(first: Position, last: Position, records: int) -> None:
    assert between(first, last) == records


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (TransientError("away"), True),
        (ConnectionRefusedError(), True),
        (OperationalError("unexpected disconnect"), True),
        (DatabaseError("memory", code=241), True),
        (DatabaseError("no such column", code=16), False),
        (DatabaseError("Cannot execute query in readonly mode. (READONLY)", code=164), True),
        (DatabaseError("std::exception: in create_directories: Read-only file system", code=1001), True),
        (DatabaseError("std::exception: filesystem error: No space left on device", code=1001), True),
        (DatabaseError("std::exception: basic_string::at", code=1001), False),
        (ConfigError("wrong"), False),
        (ValueError("ours"), False),
    ],
)
def test_what_may_pass_is_retried(error: Exception, passes: bool) -> None:
    assert is_transient(error) is passes


@pytest.mark.parametrize("error", [ConnectionRefusedError(), DatabaseError("no such table", code=60)])
def test_landing_goes_on_without_the_index_of_quarantine(error: Exception) -> None:
    def mine() -> None:
        raise error

    without: Any = SimpleNamespace(mine=mine)
    nothing: Any = SimpleNamespace(sparkSession=None)
    quarantine = Quarantine(Settings(), without, read_catalog(ROOT).source("user_events"), {}, "path", nothing)
    quarantine._index(nothing, "token")
    assert quarantine._index_behind, "the next batch catches up"


class TestPatience:
    def test_waits_until_the_service_is_back(self) -> None:
        health, failures = Health(), iter([ConnectionError(), TransientError("starting")])

        def work() -> str:
            for failure in failures:
                raise failure
            return "done"

        assert Patience(health, threading.Event()).call("live.x", "ClickHouse", work) == "done"
        assert health.note() == "live.x waits: ClickHouse: starting"

    def test_an_error_that_stays_is_raised_at_once(self) -> None:
        with pytest.raises(ValueError, match="wrong"):
            Patience(Health(), threading.Event()).call("q", "x", lambda: _raise(ValueError("wrong")))

    def test_an_attempt_that_is_no_longer_allowed_is_not_made(self) -> None:
        made, allowed = [], iter([None, FencedError("the lease ran out meanwhile")])

        def work() -> None:
            made.append(1)
            raise ConnectionError

        def check() -> None:
            if error := next(allowed):
                raise error

        with pytest.raises(FencedError):
            Patience(Health(), threading.Event(), check).call("q", "x", work)
        assert len(made) == 1

    def test_gives_up_when_told_to_stop(self) -> None:
        stopping = threading.Event()
        stopping.set()
        with pytest.raises(TransientError):
            Patience(Health(), stopping).call("q", "x", lambda: _raise(TransientError("away")))


class _Spark:
    """Records the SQL that it is given, and what is asked of the JVM."""

    def __init__(self, broken: str = "?") -> None:
        self.statements: list[str] = []
        self.broken = broken
        self._jvm, self._jsparkSession, self.sparkContext = MagicMock(), None, MagicMock()

    def sql(self, statement: str) -> "_Spark":
        if statement.startswith(self.broken):
            raise RuntimeError("a data file is missing")
        self.statements.append(statement)
        return self

    def collect(self) -> None:
        """The result is of no interest."""

    @property
    def logs(self) -> MagicMock:
        upkeep: MagicMock = self._jvm.org.apache.spark.sql.delta.LogUpkeep
        return upkeep


def at_once(work: Callable[[], None]) -> Thread:
    work()
    return Thread()


class TestUpkeep:
    def run(self, moments: list[datetime], begin: Callable[[Callable[[], None]], Thread] = at_once) -> _Spark:
        clock, spark = iter(moments), _Spark()
        now = {"at": next(clock)}
        upkeep = Upkeep(spark, {"/lake/x": 3}, timedelta(days=90), lambda: now["at"], begin)  # type: ignore[arg-type]
        for moment in clock:
            now["at"] = moment
            upkeep.after_batch()
        return spark

    def test_does_nothing_to_the_table_within_the_hour(self) -> None:
        start = datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
        assert self.run([start, start + timedelta(minutes=30), start + timedelta(minutes=44)]).statements == []

    def test_compacts_the_hour_that_closed_once(self) -> None:
        start = datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
        spark = self.run([start, start + timedelta(minutes=46), start + timedelta(minutes=50)])
        assert len(spark.statements) == 1
        assert "append_hour <= TIMESTAMP'2026-01-01 10:00:00" in spark.statements[0]
        spark.logs.forget.assert_called_once_with(None, "/lake/x", 3)

    def test_drops_what_has_expired_each_sixth_hour(self) -> None:
        start = datetime(2026, 1, 1, 12, 20, tzinfo=UTC)
        spark = self.run([start, start + timedelta(hours=1)])
        assert [s.split()[0] for s in spark.statements] == ["OPTIMIZE", "DELETE", "VACUUM"]

    def test_asks_for_a_checkpoint_each_hundred_batches(self) -> None:
        start = datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
        assert self.run([start] * 200).logs.checkpoint.call_count == 1
        assert self.run([start] * 201).logs.checkpoint.call_count == 2

    def test_begins_nothing_while_the_last_time_goes_on(self) -> None:
        start, waits = datetime(2026, 1, 1, 10, 20, tzinfo=UTC), threading.Event()
        begun = []

        def slowly(work: Callable[[], None]) -> Thread:
            begun.append(work)
            thread = Thread(target=waits.wait, daemon=True)
            thread.start()
            return thread

        self.run([start, start + timedelta(hours=1), start + timedelta(hours=2)], slowly)
        waits.set()
        assert len(begun) == 1

    def test_what_fails_keeps_nothing_else_from_being_done(self, caplog: pytest.LogCaptureFixture) -> None:
        spark, now = _Spark(broken="OPTIMIZE delta.`/lake/x`"), {"at": datetime(2026, 1, 1, 12, 20, tzinfo=UTC)}
        hours = {"/lake/x": 3, "/lake/y": 48}
        upkeep = Upkeep(spark, hours, timedelta(days=90), lambda: now["at"], at_once)  # type: ignore[arg-type]
        spark.logs.checkpoint.side_effect = [RuntimeError("the disk is full"), None, None, None]
        now["at"] += timedelta(hours=1)
        upkeep.after_batch()
        assert "the disk is full" in caplog.text
        assert "a data file is missing" in caplog.text
        done = [statement.split()[0] for statement in spark.statements]
        assert done == ["DELETE", "VACUUM", "OPTIMIZE", "DELETE", "VACUUM"]
        assert [call.args[1:] for call in spark.logs.forget.call_args_list] == [("/lake/x", 3), ("/lake/y", 48)]
        now["at"] += timedelta(hours=1)
        upkeep.after_batch()
        assert len(spark.logs.checkpoint.call_args_list) == 4


def _raise(error: Exception) -> Any:
    raise error


def test_the_log_configuration_is_where_launch_says() -> None:
    from millrace.launch import LOG_CONFIG

    assert Path(LOG_CONFIG).exists()


@pytest.mark.parametrize(("master", "tasks"), [("local[6]", "2"), ("local[1]", "1"), ("spark://one:7077", None)])
def test_a_query_takes_a_third_of_the_places_that_are_numbered(master: str, tasks: str | None) -> None:
    assert parallelism(master).get("spark.default.parallelism") == tasks
