"""One lateness window of event ids, kept as hashes beside the live query: tells first comers from duplicates."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]


class IdWindow:
    """Remembers the admitted ids of the last `lateness` microseconds of append time, in buckets that long.

    A row is a duplicate if the same id was admitted at most `lateness` before or after it. Within a bucket the hashes
    are sorted, so that a look-up is a binary search; two different ids share a 64-bit hash about once in 10^12 rows at
    half a million ids. Memory: 16 bytes for each id in the window.
    """

    def __init__(self, lateness: int) -> None:
        self._lateness = max(1, lateness)
        self._buckets: dict[int, tuple[Longs, Longs]] = {}

    def admit(self, ids: Longs, times: Longs) -> Mask:
        """Mask of the rows that are no duplicates, which are remembered; of equals the first in time, then in order."""
        admitted = np.zeros(len(ids), dtype=np.bool_)
        for bucket, rows in self._by_bucket(times):
            fresh = rows[~self._seen(bucket, ids[rows], times[rows])]
            first = fresh[np.sort(np.unique(ids[fresh], return_index=True)[1])]
            self._remember(bucket, ids[first], times[first])
            admitted[first] = True
        self._forget(times)
        return admitted

    def fill(self, ids: Longs, times: Longs) -> None:
        """Remember rows that were admitted before a restart."""
        for bucket, rows in self._by_bucket(times):
            self._remember(bucket, ids[rows], times[rows])

    def __len__(self) -> int:
        return sum(len(ids) for ids, _ in self._buckets.values())

    def _by_bucket(self, times: Longs) -> Iterator[tuple[int, Longs]]:
        """Row numbers per bucket, oldest bucket first, each in order of time."""
        order = np.argsort(times, kind="stable")
        buckets = times[order] // self._lateness
        for bucket in np.unique(buckets):
            yield int(bucket), order[buckets == bucket]

    def _seen(self, bucket: int, ids: Longs, times: Longs) -> Mask:
        seen = np.zeros(len(ids), dtype=np.bool_)
        for near in (bucket - 1, bucket, bucket + 1):
            known, known_times = self._buckets.get(near, (None, None))
            if known is None or known_times is None or not len(known):
                continue
            at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
            seen |= (known[at] == ids) & (np.abs(known_times[at] - times) <= self._lateness)
        return seen

    def _remember(self, bucket: int, ids: Longs, times: Longs) -> None:
        empty = np.empty(0, dtype=np.int64)
        known, known_times = self._buckets.get(bucket, (empty, empty))
        order = np.argsort(ids, kind="stable")
        at = np.searchsorted(known, ids[order])
        self._buckets[bucket] = (np.insert(known, at, ids[order]), np.insert(known_times, at, times[order]))

    def _forget(self, times: Longs) -> None:
        """Drop what no coming row can match. Partitions drift apart while a backlog is read, hence one bucket more."""
        if len(times):
            oldest = int(times.min()) // self._lateness - 2
            self._buckets = {bucket: held for bucket, held in self._buckets.items() if bucket >= oldest}
