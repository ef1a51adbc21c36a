"""Tells ClickHouse how each batch of each query went, from a thread of its own that never holds up a query."""

import json
import logging
import queue
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pyarrow as pa
from py4j.java_gateway import JavaObject
from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

from millrace import names
from millrace.control.groups import Lease
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.health import Health
from spark_jobs.transforms.progress import OBSERVATION

log = logging.getLogger(__name__)
Position = Mapping[str, Mapping[str, int]] | None
"""Next offset by topic and partition."""
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


class ProgressListener:
    """Receives Spark's reports; what does not fit into the queue while ClickHouse is away is left out.

    PySpark's own listener asks the JVM for each number of a report, some of them by a search of all jars: a fifth of a
    core at four batches a second. This one takes a report as the JSON text that Spark makes of it, in one call.
    """

    def __init__(self, lease: Lease, health: Health, clickhouse: Clients) -> None:
        self._lease, self._health, self._clickhouse = lease, health, clickhouse
        self._queries: dict[str, str] = {}
        self._rows: queue.Queue[dict[str, Any]] = queue.Queue(_ROOM)
        threading.Thread(target=self._write_forever, name="progress", daemon=True).start()

    def listen(self, spark: SparkSession) -> None:
        """Hear of every query of a classic session."""
        gateway: Any = spark.sparkContext._gateway
        ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
        wrapper = gateway.jvm.org.apache.spark.sql.streaming.PythonStreamingQueryListenerWrapper(self)
        spark.streams._jsqm.addListener(wrapper)

    def onQueryStarted(self, event: JavaObject) -> None:  # noqa: N802
        query, name = event.id().toString(), event.name() or ""
        self._queries[query] = name
        log.info("%s started, checkpoint %s", name, query)

    def onQueryProgress(self, event: JavaObject) -> None:  # noqa: N802
        progress = json.loads(event.progress().json())
        self._health.finished(progress["name"] or "")
        if not self._rows.full():
            self._rows.put_nowait(progress_row(self._lease, progress, datetime.now(UTC)))

    def onQueryIdle(self, event: JavaObject) -> None:  # noqa: N802
        name = self._queries.get(event.id().toString())
        if name is not None:
            self._health.finished(name)

    def onQueryTerminated(self, event: JavaObject) -> None:  # noqa: N802
        query = event.id().toString()
        log.info("%s ended", self._queries.get(query, query))

    class Java:
        """The interface that Py4J calls."""

        implements: ClassVar = ["org.apache.spark.sql.streaming.PythonStreamingQueryListener"]

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


def progress_row(lease: Lease, progress: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """One row of `ops.stream_progress`, from a report as Spark writes it; it leaves out what is not a number."""
    seen, source = progress.get("observedMetrics", {}).get(OBSERVATION, {}), progress["sources"][0]
    appended = _moment(seen.get("append_time_max"))
    return {
        "at": now,
        "stream_group": lease.group,
        "epoch": lease.epoch,
        "query": progress["name"],
        "batch_id": progress["batchId"],
        "rows": between(source["startOffset"], source["endOffset"]),
        "rows_per_second": progress.get("processedRowsPerSecond", 0.0),
        "lag_records": between(source["endOffset"], source["latestOffset"]),
        "batch_ms": progress["batchDuration"],
        "event_time_max": _moment(seen.get("event_time_max")),
        "watermark": _watermark(progress.get("eventTime", {}).get("watermark")),
        "append_time_max": appended,
        "freshness_ms": int((now - appended).total_seconds() * 1000) if appended else None,
        "state_rows": sum(s["numRowsTotal"] for s in progress["stateOperators"]),
        "state_bytes": sum(s["memoryUsedBytes"] for s in progress["stateOperators"]),
        "durations": list(progress["durationMs"].items()),
    }


def between(first: Position, last: Position) -> int:
    """Records from one position to the other, over all partitions.

    Spark's own count of a batch's rows counts them again for each pass over the batch. It knows no position where
    nothing is read yet, and none for a batch that is repeated after a crash. What a source of ours notes beside its
    offsets begins with '_'.
    """
    starts, ends = first or {}, last or {}
    return sum(
        max(0, offset - starts.get(topic, {}).get(partition, 0))
        for topic, offsets in ends.items()
        if not topic.startswith("_")
        for partition, offset in offsets.items()
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _watermark(text: str | None) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is not None and moment.year > 1970 else None
