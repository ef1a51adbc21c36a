"""A lake small enough to think about: bronze rows written by hand, then refined by the real steps."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.columns import bronze_columns
from millrace.control.gold import Made
from millrace.intervals import Interval
from millrace.settings import Settings
from spark_jobs.batch import BatchRun
from spark_jobs.edges.gold_memory import GoldMemory
from spark_jobs.gold import publish_gold, stage_gold
from spark_jobs.silver import publish_silver, stage_silver

TEN = datetime(2026, 1, 2, 10, tzinfo=UTC)
SOURCE = "user_events"
Row = dict[str, Any]


def event(offset: int, minute: float, **values: Any) -> Row:
    """A bronze row of `user_events`, appended `minute` minutes after ten, with id `e<offset>` unless told otherwise."""
    append_time = TEN + timedelta(minutes=minute)
    return {
        "event_id": f"e{offset}", "user_id": 1, "event_type": "click", "page": "/", "timestamp": append_time,
        "source": "web", "unknown_fields": None, "ingestion_timestamp": append_time, "kafka_topic": "user-events",
        "kafka_partition": 0, "kafka_offset": offset, "append_time": append_time,
        "append_hour": append_time.replace(minute=0, second=0, microsecond=0), **values,
    }  # fmt: skip


_LOCKS: dict[str, Lock] = defaultdict(Lock)


@contextmanager
def _alone(settings: Settings, what: str) -> Iterator[None]:
    """What PostgreSQL's locks do between processes, between threads."""
    with _LOCKS[f"{settings.lake} {what}"]:
        yield


class _Memory(GoldMemory):
    """Remembers in this process."""

    def __init__(self):
        self.made: dict[str, dict[str, Made]] = {}

    def recall(self, settings: Settings, table_path: str) -> dict[str, Made]:
        return self.made.get(table_path, {})

    def remember(self, settings: Settings, table_path: str, made: Mapping[str, Made]) -> None:
        self.made[table_path] = self.recall(settings, table_path) | dict(made)


@dataclass
class TinyLake:
    """Runs steps on a folder of its own; no service is needed."""

    spark: SparkSession
    settings: Settings
    catalog: Catalog
    indexed: list[int] = field(default_factory=list)
    audited: list[str] = field(default_factory=list)
    memory: GoldMemory = field(default_factory=_Memory)

    def land(self, *rows: Row) -> None:
        columns = bronze_columns(self.catalog.source(SOURCE))
        schema = ", ".join(f"`{c.name}` {c.spark_type}" for c in columns)
        df = self.spark.createDataFrame([tuple(row[c.name] for c in columns) for row in rows], schema)
        df.write.format("delta").mode("append").partitionBy("append_hour").save(self.path("bronze", SOURCE))

    def run(self, start: float, end: float, run_id: str = "run") -> BatchRun:
        """A run over `[start, end)`, in hours after ten."""
        return self.run_over(Interval(TEN + timedelta(hours=start), TEN + timedelta(hours=end)), run_id)

    def run_over(self, interval: Interval, run_id: str = "run") -> BatchRun:
        alone = {"exclusive": _alone, "memory": self.memory}
        return BatchRun(self.spark, self.settings, self.catalog, interval, run_id, **alone)

    def refine(self, start: float, end: float, *models: str, run_id: str = "run") -> BatchRun:
        """All steps of a run but the gates, for silver and then for `models`."""
        run = self.run(start, end, run_id)
        stage_silver(run, SOURCE)
        publish_silver(run, SOURCE)
        for model in models:
            stage_gold(run, model)
            publish_gold(run, model)
        return run

    def path(self, layer: names.Layer, table: str) -> str:
        return names.table_path(self.settings.lake, layer, table)

    def table(self, layer: names.Layer, table: str) -> DataFrame:
        return self.spark.read.format("delta").load(self.path(layer, table))

    def rows(self, layer: names.Layer, table: str, *without: str) -> list[Row]:
        """Every row and column, in a fixed order, leaving out the columns `without`."""
        rows = [row.asDict(recursive=True) for row in self.table(layer, table).drop(*without).collect()]
        return sorted(rows, key=repr)
