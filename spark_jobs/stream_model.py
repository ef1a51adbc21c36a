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
from millrace.contracts.model import StreamModel
from millrace.contracts.source import Source
from spark_jobs.edges.checkpoints import Checkpoint
from spark_jobs.edges.kafka_records import read_records
from spark_jobs.edges.model_results import ModelTable, ResultTopic
from spark_jobs.edges.writer_schemas import writer_schemas
from spark_jobs.stream_app import QuerySpec, StreamApp
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.live_rows import refined_rows
from spark_jobs.transforms.progress import observed
from spark_jobs.transforms.windowed import portable, timely, without_duplicates

log = logging.getLogger(__name__)


def stream_model(app: StreamApp, model: StreamModel) -> QuerySpec:
    """The query of one stream model."""
    return QuerySpec(names.stream_query(model.name), lambda: _start(app, model), needs_clickhouse=True)


def _start(app: StreamApp, model: StreamModel) -> StreamingQuery:
    source, checkpoint = app.catalog.source(model.inputs[0]), checkpoint_of(app, model)
    checkpoint.set_aside_if_torn()
    app.begin(names.stream_query(model.name), source, checkpoint, checkpoint.position())
    key = app.settings.pseudonym_key.get_secret_value().encode()
    rows = (
        read_records(app.spark, app.settings, source, {})
        .transform(decode, source, writer_schemas(app.settings, source))
        .transform(observed, source)
        .transform(refined_rows, source, key)
        .transform(timely, source)
        .transform(without_duplicates, source, model)
    )
    rows.createOrReplaceTempView(source.name)
    results = app.spark.sql(model.sql).transform(portable)
    return app.start(
        names.stream_query(model.name),
        results,
        ModelBatches(app, source, model, results).publish,
        checkpoint=checkpoint,
        trigger_ms=int(model.trigger.total_seconds() * 1000),
        mode=model.output,
    )


def checkpoint_of(app: StreamApp, model: StreamModel) -> Checkpoint:
    """Changed SQL gets a checkpoint of its own: old state does not fit it."""
    version = hashlib.sha256(f"{model.sql}|{model.watermark}".encode()).hexdigest()[:8]
    return app.checkpoint(f"{names.stream_query(model.name)}.{version}")


@dataclass
class ModelBatches:
    """Where one model's results go."""

    app: StreamApp
    source: Source
    model: StreamModel
    results: DataFrame
    table: ModelTable = field(init=False)
    topic: ResultTopic | None = None

    def __post_init__(self) -> None:
        self.table = ModelTable(self.app.clickhouse, self.model)
        self.table.create(self.results.schema)
        if self.model.topic:
            self.topic = ResultTopic(self.app.settings, self.model.topic, self.model.key)

    def publish(self, results: DataFrame, batch_id: int) -> None:
        """To ClickHouse, where a later row of the same key wins, then to the topic, keyed likewise."""
        query, checkpoint = names.stream_query(self.model.name), checkpoint_of(self.app, self.model)
        changed = results.toArrow()
        changed = since(changed, self.model.key, checkpoint.created() - self._reach()) if changed.num_rows else changed
        if not changed.num_rows:
            return
        token = f"{query}:{checkpoint.identity()}:{batch_id}"
        version = (self.app.fence.lease.epoch << 40) + batch_id
        self.app.patience.call(query, "ClickHouse", lambda: self.table.insert(changed, version, token))
        if self.topic:
            self.topic.send(changed)

    def _reach(self) -> timedelta:
        """How far back the topic surely held everything when the query began without a checkpoint.

        What began earlier was counted in part only, and must not replace what was counted whole.
        """
        return self.source.topic.retention - self.source.event.lateness


def since(results: pa.Table, key: tuple[str, ...], start: datetime) -> pa.Table:
    """The results of windows that begin at `start` or later, by the first time in the key; all where it has none."""
    timed = next((name for name in key if pa.types.is_timestamp(results.schema.field(name).type)), None)
    return results.filter(pc.field(timed) >= pa.scalar(start, results.schema.field(timed).type)) if timed else results
