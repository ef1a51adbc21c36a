"""Stream models: Spark SQL with state over one source, to ClickHouse and, where the model says so, to a topic."""

import hashlib
import logging
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.contracts.model import StreamModel
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
        .transform(without_duplicates, model)
    )
    rows.createOrReplaceTempView(source.name)
    results = app.spark.sql(model.sql).transform(portable)
    return app.start(
        names.stream_query(model.name),
        results,
        ModelBatches(app, model, results).publish,
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
        query = names.stream_query(self.model.name)
        changed = results.toArrow()
        if not changed.num_rows:
            return
        token = f"{query}:{checkpoint_of(self.app, self.model).identity()}:{batch_id}"
        version = (self.app.fence.lease.epoch << 40) + batch_id
        self.app.patience.call(query, "ClickHouse", lambda: self.table.insert(changed, version, token))
        if self.topic:
            self.topic.send(changed)
