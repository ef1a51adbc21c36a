"""A live table that was dropped or emptied by itself: told from one of which all has expired, and filled anew."""

import logging
from datetime import UTC, datetime

from pyspark.sql import functions as F

from millrace import names
from millrace.alerting import alert
from millrace.completeness import offset_bounds
from millrace.contracts.source import Source
from spark_jobs.edges import lake
from spark_jobs.edges.bronze_tables import at_or_after
from spark_jobs.edges.checkpoints import Checkpoint, Offsets
from spark_jobs.edges.live_table import LiveTable
from spark_jobs.stream_app import StreamApp

log = logging.getLogger(__name__)


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


def _took_rows(app: StreamApp, source: Source, position: Offsets) -> bool:
    """Whether the table had rows that it would still hold, and can have again.

    Bronze has some, that young, which live has read too, and so has Kafka.
    """
    bronze = lake.read(app.spark, app.lake_table("bronze", source.name))
    if bronze is None:
        return False
    since = datetime.now(UTC) - source.live_retention
    young = f"append_hour >= date_trunc('HOUR', {lake.timestamp(since)}) AND append_time >= {lake.timestamp(since)}"
    first = {p: start for p, (start, _) in offset_bounds(app.settings, source.topic.name).items()}
    read = (F.col("kafka_topic") == source.topic.name) & ~at_or_after(position)
    return not bronze.where(young).where(read & at_or_after(first)).isEmpty()
