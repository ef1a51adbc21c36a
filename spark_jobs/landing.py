"""Landing: one source's records from Kafka to bronze, and what does not fit to quarantine; exactly once."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Observation, functions as F
from pyspark.sql.streaming.query import StreamingQuery

from millrace import names
from millrace.completeness import offset_bounds
from millrace.contracts.columns import bronze_columns
from millrace.contracts.source import Source
from millrace.control.offsets import commit_offsets, committed_offsets, set_back_offsets
from spark_jobs.edges import lake
from spark_jobs.edges.bronze_tables import append_once, last_batch, next_offsets, positions
from spark_jobs.edges.checkpoints import Checkpoint, Offsets
from spark_jobs.edges.kafka_records import read_records
from spark_jobs.edges.overlap import Overlap
from spark_jobs.edges.quarantine import Quarantine
from spark_jobs.edges.rollback import lost_commits, restored, set_aside_empty_commits, well_before_the_end
from spark_jobs.edges.upkeep import Upkeep
from spark_jobs.edges.writer_schemas import refuse_new_schemas, writer_schemas
from spark_jobs.stream_app import PLAN_ONCE, QuerySpec, StreamApp
from spark_jobs.transforms.bronze import bad_records, bronze_rows, quarantine_columns
from spark_jobs.transforms.decode import decode
from spark_jobs.transforms.progress import observed

log = logging.getLogger(__name__)
_BAD = "bad"
_LOG_HOURS = (3, 48)
"""Of bronze, which nobody reads as it was; of quarantine, of which a person may have looked at a version to replay."""


def landing(app: StreamApp, source: Source) -> QuerySpec:
    """The landing query of one source; it needs no ClickHouse."""
    return QuerySpec(names.landing_query(source.name), source.name, lambda: _start(app, source), needs_clickhouse=False)


def _start(app: StreamApp, source: Source) -> StreamingQuery:
    query = names.landing_query(source.name)
    cut = [name for path in _tables(app, source) for name in set_aside_empty_commits(path)]
    _create_tables(app, source)
    checkpoint = app.checkpoint(query)
    checkpoint.set_aside_if_torn()
    checkpoint.set_aside_if_older(lambda i: last_batch(app.spark, _tables(app, source), application_id(query, i)))
    if cut or _went_back(app, source, checkpoint):  # asked again after a crash in between
        _set_back(app, source, checkpoint)
    held = positions(app.spark, _tables(app, source), source.topic.name)
    begin = app.begin(query, source, checkpoint, _position(app, source, checkpoint, held))
    pace = app.pace(query)
    records = read_records(app.spark, app.settings, source, begin, pace)
    schemas = writer_schemas(app.settings, source)
    decoded = records.transform(decode, source, schemas).hint(PLAN_ONCE).transform(observed, source)
    return app.start(
        query,
        decoded.coalesce(pace.tasks),
        LandingBatches(app, source, schemas, Overlap(held, begin)).land,
        checkpoint=checkpoint,
        trigger_ms=app.settings.landing_trigger_ms,
        mode="append",
    )


@dataclass
class LandingBatches:
    """What one run of the query remembers between batches."""

    app: StreamApp
    source: Source
    schemas: Mapping[int, str]
    overlap: Overlap
    quarantine: Quarantine = field(init=False)
    upkeep: Upkeep = field(init=False)
    _app_id: str | None = None

    def __post_init__(self) -> None:
        app, tables = self.app, _tables(self.app, self.source)
        self.quarantine = Quarantine(app.settings, app.clickhouse, self.source, self.schemas, tables[1], app.patience)
        self.upkeep = Upkeep(app.spark, dict(zip(tables, _LOG_HOURS, strict=True)), self.source.bronze_retention)

    @property
    def query(self) -> str:
        return names.landing_query(self.source.name)

    def land(self, decoded: DataFrame, batch_id: int) -> None:
        """Good rows, then bad ones if there are any, then the offsets: each step may be repeated after a crash."""
        new = self.overlap.leave_out(decoded)
        if self.source.format == "avro" and not new.filter(~F.col("good")).isEmpty():
            refuse_new_schemas(self.app.settings, self.source, self.schemas)
        bad = self._append_good(new, batch_id)
        if bad is None:
            bad = bad_records(new).count()
        if bad:
            self.app.fence.verify()
            self.quarantine.write(bad_records(new), self._identity(), batch_id)
        self._finish(batch_id)
        self.upkeep.after_batch()

    def _append_good(self, new: DataFrame, batch_id: int) -> int | None:
        """Append to bronze and count the bad rows in the same pass; None when they were not counted.

        The first batch after a start may be one that was committed before the crash. Delta skips it then, the
        observation never fires, and nobody may wait for it.
        """
        first = self._app_id is None
        rows = Observation(_BAD)
        counted = new if first else new.observe(rows, F.count_if(~F.col("good")).alias(_BAD))
        good, bronze = bronze_rows(counted, self.source), self.app.lake_table("bronze", self.source.name)
        certain = append_once(self.app.patience, self.query, good, bronze, self._identity(), batch_id)
        return int(rows.get[_BAD]) if certain and not first else None

    def _identity(self) -> str:
        if self._app_id is None:
            self._app_id = application_id(self.query, self.app.checkpoint(self.query).identity())
        return self._app_id

    def _finish(self, batch_id: int) -> None:
        """All of the batch is in the lake: tell the control plane how far landing has come."""
        offsets = self.app.checkpoint(self.query).end_offsets(batch_id)
        _record(self.app, self.source, offsets)
        self.overlap.passed(offsets)


def application_id(query: str, checkpoint: str) -> str:
    """Delta's application id: it changes with the checkpoint, whose batch numbers then start again."""
    return f"{query}/{checkpoint}"


def _tables(app: StreamApp, source: Source) -> list[str]:
    return [app.lake_table("bronze", source.name), app.lake_table("quarantine", source.name)]


def _create_tables(app: StreamApp, source: Source) -> None:
    """Empty tables first, so that batch work can read them; new fields of the contract become columns."""
    stats = ("append_time", "kafka_partition", "kafka_offset")
    for layer, columns in (("bronze", bronze_columns(source)), ("quarantine", quarantine_columns())):
        path = app.lake_table(layer, source.name)  # type: ignore[arg-type]
        lake.ensure(app.spark, path, columns, partition="append_hour", stats=stats)


def _went_back(app: StreamApp, source: Source, checkpoint: Checkpoint) -> bool:
    """Whether bronze was brought back to an older state: each batch, also an empty one, is a transaction in it.

    Of quarantine only commits that have lost their content tell: it knows no batches but those with bad records.
    Where it is restored by itself the ledger does not balance.
    """
    since = checkpoint.created() if checkpoint.exists() else None
    if any(lost_commits(path, since) for path in _tables(app, source)):
        return True
    bronze, done = app.lake_table("bronze", source.name), checkpoint.last_committed()
    if done is not None:
        last = last_batch(app.spark, [bronze], application_id(names.landing_query(source.name), checkpoint.identity()))
        if last < done:
            log.error("%s ends at batch %d, the checkpoint at %d: it was restored, or cut", bronze, last, done)
            return True
    if found := restored(app.spark, bronze):
        log.error("%s was restored to an older version since the last batch", bronze)
    return found


def _set_back(app: StreamApp, source: Source, checkpoint: Checkpoint) -> None:
    """What the tables have lost is read again: forget how far landing had come, then the checkpoint that says the same.

    In this order, since the checkpoint is what tells that bronze went back.
    """
    query, whole = names.landing_query(source.name), app.fence.run(lambda conn: committed_offsets(conn, source.name))
    lasting = well_before_the_end(app.spark, app.lake_table("bronze", source.name), source.topic.name)
    bounds = offset_bounds(app.settings, source.topic.name)
    # What Kafka has forgotten, and bronze holds up to its end, is not lost.
    begin = {
        p: max(min(at, whole[p]), min(bounds[p][0], end))
        for p, (at, end) in lasting.items()
        if p in whole and p in bounds
    }
    log.error("%s begins again at %s, and leaves out what the lake still holds", query, begin or "the beginning")
    app.patience.call(
        query, "PostgreSQL", lambda: app.fence.run(lambda conn: set_back_offsets(conn, source.name, begin))
    )
    checkpoint.set_aside()


def _position(app: StreamApp, source: Source, checkpoint: Checkpoint, held: DataFrame) -> Offsets:
    """Where the query stands, as next offset per partition: after its last whole batch.

    Only the control plane and the checkpoint know what is whole; the highest offset in the lake may belong to a batch
    of which a part is missing. The control plane may be one batch ahead of the checkpoint, or one behind it.
    """
    whole = app.fence.run(lambda conn: committed_offsets(conn, source.name))
    if ends := checkpoint.position():
        _record(app, source, {p: end for p, end in ends.items() if end > whole.get(p, 0)})
        return ends
    begin = {p: min(end, whole[p]) for p, end in next_offsets(held).items() if p in whole}
    log.info("%s has no checkpoint; it goes on from %s", names.landing_query(source.name), begin or "the beginning")
    return begin


def _record(app: StreamApp, source: Source, offsets: Mapping[int, int]) -> None:
    query = names.landing_query(source.name)
    app.patience.call(
        query, "PostgreSQL", lambda: app.fence.run(lambda conn: commit_offsets(conn, source.name, offsets))
    )
