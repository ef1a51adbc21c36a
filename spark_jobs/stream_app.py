"""The stream application as its queries see it, and the wrapper that makes their batches stop at their edges."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.completeness import offset_bounds
from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.errors import MillraceError
from millrace.settings import Settings
from millrace.topics import admin, topic_id
from spark_jobs.edges.busy import Busy
from spark_jobs.edges.checkpoints import Checkpoint, Offsets
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.health import Health
from spark_jobs.edges.lease import Fence, Heartbeat
from spark_jobs.edges.patience import Patience
from spark_jobs.edges.retention import go_on_after_losses, refuse_another_topic, refuse_cut_topic
from spark_jobs.edges.session import work_done
from spark_jobs.edges.slowness import Pace, Slowness

_ARROW_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
PLAN_ONCE = "plan_once"
"""Hint for rows that are worked out likewise in every batch: see `jvm/PlanOnce.scala`."""
BatchWork = Callable[[DataFrame, int], None]


class StoppedBetweenBatches(MillraceError):
    """The application stops: this batch was not begun, and is read again with the next start."""


@dataclass(frozen=True)
class StreamApp:
    """Everything that a query of the group needs: what is declared, where things are, and the fence."""

    settings: Settings
    catalog: Catalog
    spark: SparkSession
    heartbeat: Heartbeat
    clickhouse: Clients
    slowness: Slowness = field(default_factory=Slowness)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def fence(self) -> Fence:
        return self.heartbeat.fence

    @property
    def health(self) -> Health:
        return self.heartbeat.health

    @property
    def parallelism(self) -> int:
        """Tasks that one query may have at a time; see `edges.conf.parallelism`."""
        return self.spark.sparkContext.defaultParallelism

    @property
    def patience(self) -> Patience:
        return Patience(self.health, self.stopping, self.fence.check)

    def checkpoint(self, query: str) -> Checkpoint:
        return Checkpoint(self.spark, names.checkpoint(self.settings.checkpoints, query))

    def lake_table(self, layer: names.Layer, table: str) -> str:
        return names.table_path(self.settings.lake, layer, table)

    def begin(self, query: str, source: Source, checkpoint: Checkpoint, position: Offsets) -> Offsets:
        """Where a query really begins that stands at `position` (next offset per partition; none: the beginning)."""
        topic = source.topic.name
        bounds, found = offset_bounds(self.settings, topic), topic_id(admin(self.settings), topic)
        refuse_cut_topic(query, source, position, bounds)
        self.fence.run(lambda conn: refuse_another_topic(conn, query, source, found, position, bounds))
        went_on = checkpoint.last_committed() is not None  # and would have begun new partitions at 0
        known = dict.fromkeys(bounds, 0) | position if went_on else position
        return self.fence.run(lambda conn: go_on_after_losses(conn, query, source, checkpoint, known, bounds))

    def pace(self, query: str) -> Pace:
        """How a query reads Kafka that starts now."""
        return self.slowness.pace(query, self.parallelism)

    def guarded(self, query: str, work: BatchWork) -> BatchWork:
        """`work`, begun only while the lease holds and nobody asked to stop."""

        def batch(rows: DataFrame, batch_id: int) -> None:
            if self.stopping.is_set():
                raise StoppedBetweenBatches(query)
            self.slowness.leave(query)
            with self.slowness.turn(query, lambda: self.health.waiting(query, "reads after another, for its memory")):
                self.fence.verify()
                work(rows, batch_id)
            self.health.finished(query)

        return batch

    def start(
        self, query: str, rows: DataFrame, work: BatchWork, *, checkpoint: Checkpoint, trigger_ms: int, mode: str
    ) -> StreamingQuery:
        """Start `query` in a scheduler pool of its own."""
        self.spark.sparkContext.setLocalProperty("spark.scheduler.pool", query)
        self.spark.conf.set(_ARROW_ROWS, self.slowness.rows_in_a_block(query))
        self.health.started(query)
        started = (
            rows.writeStream.queryName(query)
            .foreachBatch(self.guarded(query, work))
            .option("checkpointLocation", checkpoint.path)
            .outputMode(mode)
            .trigger(processingTime=f"{trigger_ms} milliseconds")
            .start()
        )
        busy, job_group = Busy(), str(started.runId)
        self.health.watch(query, lambda: busy.look(work_done(self.spark, job_group)))
        return started


@dataclass(frozen=True)
class QuerySpec:
    """A query by name, its source, and how to start it; `needs_clickhouse` ones wait until its tables are there."""

    name: str
    source: str
    start: Callable[[], StreamingQuery]
    needs_clickhouse: bool

    @property
    def keeps_the_lake(self) -> bool:
        """Landing: a driver none of whose sources lands any more has nothing to go on for."""
        return not self.needs_clickhouse
