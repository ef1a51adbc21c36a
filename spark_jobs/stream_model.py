"""Stream models: Spark SQL with state over one source, to ClickHouse and, where the model says so, to a topic."""

import hashlib
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.alerting import alert
from millrace.contracts.avro import Column
from millrace.contracts.columns import APPEND_TIME, EVENT_TIME, live_columns
from millrace.contracts.model import StreamModel
from millrace.contracts.source import Source
from millrace.contracts.sql import columns_read, parse_model
from millrace.settings import Settings
from millrace.topics import LARGEST_RESULT
from spark_jobs.edges.checkpoints import Checkpoint
from spark_jobs.edges.live_stream import read_live
from spark_jobs.edges.model_results import ModelTable, ResultTopic
from spark_jobs.stream_app import QuerySpec, StreamApp
from spark_jobs.transforms.live_rows import restored
from spark_jobs.transforms.progress import observed_live
from spark_jobs.transforms.windowed import portable, timely, watermarked

log = logging.getLogger(__name__)


def stream_model(app: StreamApp, model: StreamModel) -> QuerySpec:
    """The query of one stream model."""
    return QuerySpec(names.stream_query(model.name), model.inputs[0], lambda: _start(app, model), needs_clickhouse=True)


def _start(app: StreamApp, model: StreamModel) -> StreamingQuery:
    source, checkpoint = app.catalog.source(model.inputs[0]), checkpoint_of(app, model)
    checkpoint.set_aside_if_torn()
    columns = columns_wanted(source, model)
    rows = (
        read_live(app.spark, source, columns, most_records(app.settings, model), max(1, app.parallelism // 2))
        .transform(observed_live)
        .transform(timely, source)
        .transform(watermarked, source, model)
        .transform(restored, columns)
    )
    rows.createOrReplaceTempView(source.name)
    results = app.spark.sql(model.sql).transform(portable)
    batches = ModelBatches(app, source, model, results)
    if checkpoint.exists() and not batches.table.is_there(results.schema):
        log.error("%s: its table is gone; it begins anew with what its live table still has", model.name)
        checkpoint.set_aside()  # before there is a table that says nothing of that
    batches.table.create(results.schema)
    return app.start(
        names.stream_query(model.name),
        results,
        batches.publish,
        checkpoint=checkpoint,
        trigger_ms=_milliseconds(model),
        mode=model.output,
    )


def columns_wanted(source: Source, model: StreamModel) -> tuple[Column, ...]:
    """The columns that the SQL reads, and those that say when an event happened and came."""
    columns = live_columns(source)
    read = {column.name for column in columns_read(parse_model(model), columns)} | {EVENT_TIME.name, APPEND_TIME.name}
    return tuple(column for column in columns if column.name in read)


def most_records(settings: Settings, model: StreamModel) -> int:
    """Offsets that a batch takes: a model that looks less often than landing takes more, or it would fall behind."""
    return settings.max_records_per_batch * max(1, _milliseconds(model) // max(1, settings.landing_trigger_ms))


def checkpoint_of(app: StreamApp, model: StreamModel) -> Checkpoint:
    """Changed SQL gets a checkpoint of its own: old state does not fit it. Nor do offsets of another kind of input."""
    version = hashlib.sha256(f"{names.LIVE}|{model.sql}|{model.watermark}".encode()).hexdigest()[:8]
    return app.checkpoint(f"{names.stream_query(model.name)}.{version}")


def _milliseconds(model: StreamModel) -> int:
    return int(model.trigger.total_seconds() * 1000)


@dataclass
class ModelBatches:
    """Where one model's results go."""

    app: StreamApp
    source: Source
    model: StreamModel
    results: DataFrame
    table: ModelTable = field(init=False)
    topic: ResultTopic | None = None
    _generation: int = 0

    def __post_init__(self) -> None:
        self.table = ModelTable(self.app.clickhouse, self.model)
        if self.model.topic:
            self.topic = ResultTopic(self.app.settings, self.model.topic, self.model.key)

    def publish(self, results: DataFrame, batch_id: int) -> None:
        """To ClickHouse, where a later row of the same key wins, then to the topic, keyed likewise."""
        query, checkpoint = names.stream_query(self.model.name), checkpoint_of(self.app, self.model)
        changed = results.toArrow()
        changed = since(changed, self.model.key, checkpoint.created() - self._reach()) if changed.num_rows else changed
        if not changed.num_rows:
            return
        patience, epoch = self.app.patience, self.app.fence.lease.epoch
        if not self._generation:
            self._generation = patience.call(query, "ClickHouse", lambda: self.table.generation(epoch))
        token = f"{query}:{checkpoint.identity()}:{self._generation}:{batch_id}"
        patience.call(query, "ClickHouse", lambda: self.table.insert(changed, self._generation, batch_id, token))
        if self.topic and (left_out := self.topic.send(changed)):
            self._tell_of(left_out)

    def _tell_of(self, left_out: list[str]) -> None:
        """One result that is too large must not stop all others: the table has it, the topic goes without."""
        alert(
            self.app.settings,
            kind="result_left_out",
            subject=self.model.name,
            message=f"{len(left_out)} results are larger than {LARGEST_RESULT} bytes, and not in topic "
            f"{self.model.topic}; the table has them. The first one's key begins {left_out[0][:100]!r}",
            severity="warning",
        )

    def _reach(self) -> timedelta:
        """How far back the live table surely held everything when the query began without a checkpoint.

        Live itself may have been filled from the topic. What began earlier was counted in part only, and must not
        replace what was counted whole.
        """
        return min(self.source.live_retention, self.source.topic.retention) - self.source.event.lateness


def since(results: pa.Table, key: tuple[str, ...], start: datetime) -> pa.Table:
    """The results of windows that begin at `start` or later, by the first time in the key; all where it has none."""
    timed = next((name for name in key if pa.types.is_timestamp(results.schema.field(name).type)), None)
    return results.filter(pc.field(timed) >= pa.scalar(start, results.schema.field(timed).type)) if timed else results
