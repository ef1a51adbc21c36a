"""When each event could be queried: asks ClickHouse again and again how far a table reaches."""

import threading
import time
from dataclasses import dataclass, field

import numpy as np
from clickhouse_connect.driver.client import Client

from bench.measure import Ages, Floats, Longs, ages
from millrace.clickhouse.client import connect
from millrace.settings import Settings

EVERY = 0.03
"""Seconds between two questions: what an age may be overstated by."""


@dataclass
class Prober:
    """Watches one table with the columns `kafka_partition`, `kafka_offset` and `event_time`, in the order of the last.

    A query that returned offset n at time t proves that all rows of the partition up to n were visible by t.
    """

    settings: Settings
    table: str
    _stop: threading.Event = field(default_factory=threading.Event)
    _seen: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    _newest: dict[int, int] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def start(self, since: float) -> None:
        self._newest = {-1: int(since * 1e6)}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def result(self, since: float, until: float, lost: int) -> Ages:
        """Ages of all events that were handed to the producer in `[since, until)`; `lost` never reached the table."""
        within = f"event_time >= {_moment(int(since * 1e6))} AND event_time < {_moment(int(until * 1e6))}"
        columns = "kafka_partition AS p, kafka_offset AS o, toUnixTimestamp64Micro(event_time) AS t"
        rows = connect(self.settings).query_arrow(f"SELECT {columns} FROM {self.table} WHERE {within}")
        partitions, offsets, produced = (rows[name].to_numpy().astype(np.int64) for name in ("p", "o", "t"))
        visible = self._visible(partitions, offsets)
        found = ~np.isnan(visible)
        return ages(visible[found] - produced[found] / 1e6, lost + int((~found).sum()))

    def _visible(self, partitions: Longs, offsets: Longs) -> Floats:
        visible = np.full(len(offsets), np.nan)
        for partition, seen in self._seen.items():
            reach, moments = np.array([s[0] for s in seen]), np.array([s[1] for s in seen] + [np.nan])
            mine = partitions == partition
            visible[mine] = moments[np.searchsorted(reach, offsets[mine])]
        return visible

    def _watch(self) -> None:
        client = connect(self.settings)
        while not self._stop.wait(EVERY):
            self._look(client)

    def _look(self, client: Client) -> None:
        """Reads no more than what is new: the rows after the oldest of the partitions' newest events."""
        bound = min(self._newest.values())
        answer = client.raw_query(
            f"SELECT kafka_partition, max(kafka_offset), toUnixTimestamp64Micro(max(event_time)) FROM {self.table} "
            f"WHERE event_time >= {_moment(bound)} GROUP BY kafka_partition",
            fmt="TSV",
        )
        now = time.time()
        for line in answer.decode().splitlines():
            partition, offset, newest = map(int, line.split("\t"))
            seen = self._seen.setdefault(partition, [])
            if not seen or seen[-1][0] < offset:
                seen.append((offset, now))
            self._newest.pop(-1, None)
            self._newest[partition] = newest


def _moment(micros: int) -> str:
    return f"fromUnixTimestamp64Micro({micros}, 'UTC')"
