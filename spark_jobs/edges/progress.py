"""Tells ClickHouse how each batch of each query went, from a thread of its own that never holds up a query."""

import json
import logging
import queue
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import Row
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
    StreamingQueryProgress,
)

from millrace import names
from millrace.control.groups import Lease
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.health import Health
from spark_jobs.transforms.progress import OBSERVATION

log = logging.getLogger(__name__)
_TABLE = f"{names.OPS}.stream_progress"
_ROOM = 2000
_EACH = 1.0
_SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("ms", "UTC")),
        ("stream_group", pa.string()),
        ("epoch", pa.uint64()),
        ("query", pa.string()),
        ("batch_id", pa.uint64()),
        ("rows", pa.uint64()),
        ("rows_per_second", pa.float64()),
        ("lag_records", pa.uint64()),
        ("batch_ms", pa.uint32()),
        ("event_time_max", pa.timestamp("ms", "UTC")),
        ("watermark", pa.timestamp("ms", "UTC")),
        ("append_time_max", pa.timestamp("ms", "UTC")),
        ("freshness_ms", pa.int64()),
        ("state_rows", pa.uint64()),
        ("state_bytes", pa.uint64()),
        ("durations", pa.map_(pa.string(), pa.uint32())),
    ]
)


class ProgressListener(StreamingQueryListener):
    """Receives Spark's reports; what does not fit into the queue while ClickHouse is away is left out."""

    def __init__(self, lease: Lease, health: Health, clickhouse: Clients) -> None:
        self._lease, self._health, self._clickhouse = lease, health, clickhouse
        self._queries: dict[uuid.UUID, str] = {}
        self._rows: queue.Queue[dict[str, Any]] = queue.Queue(_ROOM)
        threading.Thread(target=self._write_forever, name="progress", daemon=True).start()

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        self._queries[event.id] = event.name or ""
        log.info("%s started, checkpoint %s", event.name, event.id)

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        progress = event.progress
        self._health.finished(progress.name or "")
        if not self._rows.full():
            self._rows.put_nowait(progress_row(self._lease, progress, datetime.now(UTC)))

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        if event.id in self._queries:
            self._health.finished(self._queries[event.id])

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        log.info("%s ended", self._queries.get(event.id, event.id))

    def _write_forever(self) -> None:
        while True:
            rows = [self._rows.get()]
            time.sleep(_EACH)
            while not self._rows.empty():
                rows.append(self._rows.get_nowait())
            try:
                self._clickhouse.mine().insert_arrow(_TABLE, pa.Table.from_pylist(rows, _SCHEMA))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end this thread
                log.warning("%d progress rows left out: %s", len(rows), str(error)[:200])


def progress_row(lease: Lease, progress: StreamingQueryProgress, now: datetime) -> dict[str, Any]:
    """One row of `ops.stream_progress`."""
    seen = progress.observedMetrics.get(OBSERVATION)
    appended = _moment(seen, "append_time_max")
    return {
        "at": now,
        "stream_group": lease.group,
        "epoch": lease.epoch,
        "query": progress.name,
        "batch_id": progress.batchId,
        "rows": between(progress.sources[0].startOffset, progress.sources[0].endOffset),
        "rows_per_second": _finite(progress.processedRowsPerSecond),
        "lag_records": between(progress.sources[0].endOffset, progress.sources[0].latestOffset),
        "batch_ms": progress.batchDuration,
        "event_time_max": _moment(seen, "event_time_max"),
        "watermark": _watermark(progress.eventTime.get("watermark")),
        "append_time_max": appended,
        "freshness_ms": int((now - appended).total_seconds() * 1000) if appended else None,
        "state_rows": sum(s.numRowsTotal for s in progress.stateOperators),
        "state_bytes": sum(s.memoryUsedBytes for s in progress.stateOperators),
        "durations": list(progress.durationMs.items()),
    }


def between(first: str | None, last: str | None) -> int:
    """Records from one position to the other, over all partitions; positions are Spark's JSON.

    Spark's own count of a batch's rows counts them again for each pass over the batch.
    """
    starts, ends = _position(first), _position(last)
    return sum(
        max(0, offset - starts.get(topic, {}).get(partition, 0))
        for topic, offsets in ends.items()
        for partition, offset in offsets.items()
    )


def _position(text: str | None) -> dict[str, dict[str, int]]:
    """Spark leaves out what it does not know: nothing read yet, or a batch that is repeated after a crash."""
    position: dict[str, dict[str, int]] = json.loads(text) if text and text.startswith("{") else {}
    return position


def _moment(seen: Row | None, name: str) -> datetime | None:
    """Spark hands timestamps over in the driver's local time."""
    found: datetime | None = seen[name] if seen is not None else None
    return found.astimezone(UTC) if found is not None else None


def _watermark(text: str | None) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is not None and moment.year > 1970 else None


def _finite(value: float) -> float:
    return value if value < float("inf") else 0.0
