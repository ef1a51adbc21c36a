"""When each event could be queried in Delta: a commit's file dates it, the checkpoint says what is in it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from deltalake import DeltaTable

from bench.measure import Ages, Longs, ages


@dataclass(frozen=True)
class Commit:
    """One append to the table: the streaming batch that made it, and when readers could see it."""

    batch: int
    visible: float


def commits(table: Path, since: float) -> Iterator[Commit]:
    """Appends by a stream, oldest first.

    Delta publishes a commit by giving its file its name; the inode's change time is that moment.
    """
    for path in sorted((table / "_delta_log").glob("*.json")):
        moment = path.stat().st_ctime
        if moment < since:
            continue
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        versions = [action["txn"]["version"] for action in actions if "txn" in action]
        if versions:
            yield Commit(versions[0], moment)


def freshness(table: Path, checkpoint: Path, since: float, until: float, sent: int) -> Ages:
    """Ages of all events that were handed to the producer in `[since, until)`, of which `sent` were sent."""
    partitions, offsets, produced = _rows(table, since, until)
    if not len(partitions):
        return ages(np.empty(0), sent)
    ends = [(c.visible, end_offsets(checkpoint, c.batch)) for c in commits(table, since)]
    visible = np.full(len(offsets), np.nan)
    for partition in np.unique(partitions):
        reach = np.array([end.get(int(partition), 0) for _, end in ends])
        moments = np.array([moment for moment, _ in ends] + [np.nan])
        mine = partitions == partition
        visible[mine] = moments[np.searchsorted(reach, offsets[mine], side="right")]
    found = ~np.isnan(visible)
    return ages(visible[found] - produced[found] / 1e6, sent - int(found.sum()))


def end_offsets(checkpoint: Path, batch: int) -> dict[int, int]:
    """Next offset of each partition after the batch, from Spark's offset log."""
    by_topic = json.loads((checkpoint / "offsets" / str(batch)).read_text().splitlines()[2])
    return {int(partition): offset for offsets in by_topic.values() for partition, offset in offsets.items()}


def _rows(table: Path, since: float, until: float) -> tuple[Longs, Longs, Longs]:
    """Partition, offset and produced time (microseconds) of the rows."""
    files = DeltaTable(str(table)).file_uris()
    fresh = [file for file in files if Path(file).stat().st_mtime >= since]
    if not fresh:
        return (np.empty(0, np.int64),) * 3
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT kafka_partition AS p, kafka_offset AS o, epoch_us(timestamp) AS t "
            "FROM read_parquet(?) WHERE t >= ? AND t < ?",
            [fresh, int(since * 1e6), int(until * 1e6)],
        ).fetchnumpy()
    return found["p"].astype(np.int64), found["o"].astype(np.int64), found["t"].astype(np.int64)
