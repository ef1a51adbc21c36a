"""When each event could be queried in Delta: its file says by which commit, the commit's own file says when."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import duckdb
import numpy as np

from bench.measure import Ages, Floats, Longs, ages, by_minute


@dataclass(frozen=True)
class Commit:
    """One append to the table: the streaming batch that made it, when readers could see it, and its files."""

    batch: int
    visible: float
    files: tuple[Path, ...]


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
            files = tuple(table / unquote(action["add"]["path"]) for action in actions if "add" in action)
            yield Commit(versions[0], moment, files)


def freshness(table: Path, since: float, until: float, sent: int) -> Ages:
    """Ages of all events that were handed to the producer in `[since, until)`, of which `sent` were sent."""
    visible = {str(file): commit.visible for commit in commits(table, since) for file in commit.files}
    produced, moments = _rows(visible, since, until)
    old = moments - produced / 1e6
    return replace(ages(old, sent - len(produced)), by_minute=by_minute(old, produced / 1e6 - since))


def _rows(visible: dict[str, float], since: float, until: float) -> tuple[Longs, Floats]:
    """Of each row: when it was produced (microseconds), and when it became visible (seconds)."""
    if not visible:
        return np.empty(0, np.int64), np.empty(0)
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT filename AS f, epoch_us(timestamp) AS t FROM read_parquet(?, filename = true) "
            "WHERE t >= ? AND t < ?",
            [list(visible), int(since * 1e6), int(until * 1e6)],
        ).fetchnumpy()
    return found["t"].astype(np.int64), np.array([visible[file] for file in found["f"]])


def end_offsets(checkpoint: Path, batch: int) -> dict[int, int]:
    """Next offset of each partition after the batch, from Spark's offset log."""
    by_topic = json.loads((checkpoint / "offsets" / str(batch)).read_text().splitlines()[2])
    return {int(partition): offset for offsets in by_topic.values() for partition, offset in offsets.items()}
