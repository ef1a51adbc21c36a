"""A live table that was dropped, emptied, or restored from an older copy: told from one of which rows have expired."""

import logging
from datetime import UTC, datetime

from pyspark.sql import DataFrame, functions as F

from millrace import names
from millrace.alerting import alert
from millrace.completeness import offset_bounds
from millrace.contracts.source import Source
from spark_jobs.edges import lake
from spark_jobs.edges.bronze_tables import at_or_after
from spark_jobs.edges.checkpoints import Checkpoint, Offsets
from spark_jobs.edges.live_table import LiveTable, next_offsets
from spark_jobs.stream_app import StreamApp
from spark_jobs.transforms.live_rows import live_id_hash

log = logging.getLogger(__name__)
_SOME = 1000
"""Records enough to tell a table that lacks the newest from one that was brought nothing but repeats."""


def begin_anew_if_lost(app: StreamApp, source: Source, table: LiveTable, checkpoint: Checkpoint) -> None:
    """Where the table has lost its rows: set the checkpoint aside, and empty what the table feeds.

    That is fed again with all that the table is filled with. Its own rows may reach further back than Kafka's: a copy
    of each is kept, and expires like the table itself.
    """
    if not checkpoint.exists() or not table.is_empty() or not _took_rows(app, source, checkpoint.position()):
        return
    log.error("%s: its table is empty; it begins anew with what Kafka still has", names.live_query(source.name))
    app.fence.verify()
    copies = table.empty_fed(checkpoint.identity()[:8])
    alert(
        app.settings,
        kind="live_table_lost",
        subject=source.name,
        message=f"{names.LIVE}.{source.name} was found empty; it, and the real-time models that it feeds, are filled "
        f"anew with what Kafka still has. What the models held: {', '.join(copies) or 'nothing'}",
        severity="critical",
    )
    checkpoint.set_aside()


def go_back_if_behind(app: StreamApp, source: Source, table: LiveTable, checkpoint: Checkpoint) -> None:
    """Where the table ends before the checkpoint, as a copy that was restored: set the checkpoint aside.

    The query then goes on where the table ends. The models that the table feeds were restored with it.
    """
    done = checkpoint.last_committed()
    if done is None:
        return
    held = table.last_batch(checkpoint.identity())
    if held < done and _lacks_rows(app, source, table, checkpoint.position()):
        query = names.live_query(source.name)
        log.error(
            "%s: its table ends at batch %d, the checkpoint at %d; it goes on behind the table", query, held, done
        )
        app.fence.verify()
        checkpoint.set_aside()


def _lacks_rows(app: StreamApp, source: Source, table: LiveTable, position: Offsets) -> bool:
    """Whether rows are missing behind the table's end: the last batches may have brought nothing but repeats."""
    rows = _taken(app, source, position, next_offsets(app.clickhouse, source))
    if rows is None:
        return False
    id_hash, appended = live_id_hash(F.col(source.event.id)), F.unix_micros("append_time")
    some = rows.select(id_hash, appended).limit(_SOME).collect()
    return bool(some) and table.lacks({row[0] for row in some}, min(row[1] for row in some))


def _took_rows(app: StreamApp, source: Source, position: Offsets) -> bool:
    """Whether the table had rows that it would still hold, and can have again."""
    rows = _taken(app, source, position, {})
    return rows is not None and not rows.isEmpty()


def _taken(app: StreamApp, source: Source, position: Offsets, held: Offsets) -> DataFrame | None:
    """Records of bronze that live has read too, behind `held` (next offsets), so young that it would still have them,
    and Kafka has; None without a bronze."""
    bronze = lake.read(app.spark, app.lake_table("bronze", source.name))
    if bronze is None:
        return None
    since = datetime.now(UTC) - source.live_retention
    young = f"append_hour >= date_trunc('HOUR', {lake.timestamp(since)}) AND append_time >= {lake.timestamp(since)}"
    bounds = offset_bounds(app.settings, source.topic.name)
    first = {p: max(start, held.get(p, 0)) for p, (start, _) in bounds.items()}
    read = (F.col("kafka_topic") == source.topic.name) & ~at_or_after(position)
    return bronze.where(young).where(read & at_or_after(first))
