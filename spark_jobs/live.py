"""Live: one source's records from Kafka to its live table in ClickHouse, duplicates left out, within a second."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.contracts.source import Source
from millrace.errors import MillraceError
from spark_jobs.edges.checkpoints import Checkpoint
from spark_jobs.edges.collected import collected
from spark_jobs.edges.kafka_records import read_records
from spark_jobs.edges.live_table import LiveTable, in_order, next_offsets
from spark_jobs.edges.writer_schemas import refuse_new_schemas, writer_schemas
from spark_jobs.id_window import IdWindow
from spark_jobs.live_loss import begin_anew_if_lost, go_back_if_behind
from spark_jobs.stream_app import PLAN_ONCE, QuerySpec, StreamApp
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.live_rows import GOOD, live_rows
from spark_jobs.transforms.progress import observed_live

log = logging.getLogger(__name__)


class TableWentBack(MillraceError):
    """The live table was restored from an older copy under the running query, which starts again to find its place."""


def live(app: StreamApp, source: Source) -> QuerySpec:
    """The live query of one source."""
    return QuerySpec(names.live_query(source.name), source.name, lambda: _start(app, source), needs_clickhouse=True)


def coming_again(app: StreamApp, source: Source) -> str | None:
    """Which rows of the live table belong to a batch that has not ended, as SQL; None without a checkpoint."""
    checkpoint = _checkpoint(app, source, LiveTable(app.clickhouse, source))
    if not checkpoint.exists():
        return None
    done = checkpoint.last_committed()
    return f"_checkpoint = '{checkpoint.identity()}' AND _batch_id > {-1 if done is None else done}"


def _checkpoint(app: StreamApp, source: Source, table: LiveTable) -> Checkpoint:
    """The query's checkpoint; one from which it cannot go on is set aside."""
    checkpoint = app.checkpoint(names.live_query(source.name))
    checkpoint.set_aside_if_torn()
    checkpoint.set_aside_if_older(table.last_batch)
    return checkpoint


def _start(app: StreamApp, source: Source) -> StreamingQuery:
    query, key = names.live_query(source.name), app.settings.pseudonym_key.get_secret_value().encode()
    table = LiveTable(app.clickhouse, source)
    checkpoint = _checkpoint(app, source, table)
    begin_anew_if_lost(app, source, table, checkpoint)
    go_back_if_behind(app, source, table, checkpoint)
    position = checkpoint.position() if checkpoint.exists() else next_offsets(app.clickhouse, source)
    begin = app.begin(query, source, checkpoint, position)
    pace = app.pace(query)
    records = read_records(app.spark, app.settings, source, begin, pace)
    schemas = writer_schemas(app.settings, source)
    rows = (
        records.transform(decode, source, schemas)
        .transform(live_rows, source, key)
        .hint(PLAN_ONCE)
        .transform(observed_live)
        .coalesce(pace.tasks)
    )
    return app.start(
        query,
        rows,
        LiveBatches(app, source, schemas).insert,
        checkpoint=checkpoint,
        trigger_ms=app.settings.live_trigger_ms,
        mode="append",
    )


@dataclass
class LiveBatches:
    """What one run of the query remembers between batches: the ids of the lateness window."""

    app: StreamApp
    source: Source
    schemas: Mapping[int, str]
    table: LiveTable = field(init=False)
    window: IdWindow | None = None
    _checkpoint: str = ""
    _held: int = -1
    """The last batch that is known to be in the table."""

    def __post_init__(self) -> None:
        self.table = LiveTable(self.app.clickhouse, self.source)

    @property
    def query(self) -> str:
        return names.live_query(self.source.name)

    def insert(self, rows: DataFrame, batch_id: int) -> None:
        """One batch, one block: the same batch again makes the same block, which ClickHouse then ignores.

        A batch too large for this process is a few blocks, the same ones each time.
        """
        if self.window is None:
            self.window = self._rebuild(batch_id)
        for label, piece in collected(rows):
            self._insert(piece, batch_id, label)

    def _insert(self, rows: pa.Table, batch_id: int, label: str) -> None:
        batch = in_order(self._good(rows))
        assert self.window is not None
        fresh = batch.filter(self.window.admit(*self.table.ids_and_times(batch)))
        if fresh.num_rows:
            token = f"{self.query}:{self._checkpoint}:{batch_id}{label}"
            labelled = self.table.labelled(fresh, self._checkpoint, batch_id)
            self.app.fence.verify()
            tries = count()
            self.app.patience.call(
                self.query, "ClickHouse", lambda: self._send(labelled, token, was_away=next(tries) > 0)
            )
            self._held = batch_id

    def _send(self, rows: pa.Table, token: str, *, was_away: bool) -> None:
        """Insert; after an outage only into a table that still holds what this run has seen in it."""
        if was_away and self.table.last_batch(self._checkpoint) < self._held:
            raise TableWentBack(f"{self.query}: ClickHouse came back without batch {self._held}; starting again")
        self.table.insert(rows, token)

    def _good(self, rows: pa.Table) -> pa.Table:
        """The rows that decoded; the others are landing's business, unless they are only newer than this query."""
        good = rows.filter(rows[GOOD])
        if self.source.format == "avro" and good.num_rows < rows.num_rows:
            refuse_new_schemas(self.app.settings, self.source, self.schemas)
        return good.drop_columns(GOOD)

    def _rebuild(self, batch_id: int) -> IdWindow:
        """The window as it was before this batch, which a crash may have left written but not committed."""
        self._checkpoint = self.app.checkpoint(self.query).identity()
        window = IdWindow(int(self.source.event.lateness.total_seconds() * 1_000_000))
        known = self.app.patience.call(
            self.query, "ClickHouse", lambda: self.table.recent(self._checkpoint, before_batch=batch_id)
        )
        window.fill(*self.table.ids_and_times(known))
        self._held = self.app.patience.call(self.query, "ClickHouse", lambda: self.table.last_batch(self._checkpoint))
        log.info("%s: %d ids in the window before batch %d", self.query, len(window), batch_id)
        return window
