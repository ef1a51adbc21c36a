"""Inside a streaming job that is measured: writes down when each batch ended, and what the job had used by then."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql.streaming.query import StreamingQuery

_EACH = 0.05


def follow(query: StreamingQuery, ends: Mapping[int, int], out: Path) -> None:
    """Until the query has read up to `ends` (next offset by partition): a line per batch."""
    last = -1
    with out.open("w", buffering=1) as lines:
        while query.isActive:
            progress = query.lastProgress
            if progress and progress["batchId"] != last and (end := _position(progress["sources"][0]["endOffset"])):
                last = progress["batchId"]
                lines.write(json.dumps({"batch": last, "at": time.time(), "read": sum(end.values()), "cpu": _cpu()}))
                lines.write("\n")
                if all(end.get(partition, 0) >= offset for partition, offset in ends.items()):
                    return
            time.sleep(_EACH)
        raise RuntimeError(f"the query ended by itself: {query.exception()}")


def _position(offsets: Any) -> dict[int, int]:
    """Spark gives positions as JSON, or as what JSON means."""
    by_topic = json.loads(offsets) if isinstance(offsets, str) else offsets
    return {int(p): end for ends in (by_topic or {}).values() for p, end in ends.items()}


def _cpu() -> float:
    """CPU seconds of this process and of its JVM, which spark-submit has made its parent."""
    me = psutil.Process()
    return sum(float(sum(p.cpu_times()[:2])) for p in (me, me.parent()) if p is not None)
