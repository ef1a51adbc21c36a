"""How the streaming queries do: when each last finished something, and what each waits for."""

import threading
import time
from collections.abc import Callable

START_SECONDS = 300.0
"""What the application may take from its lease to its first query, before it counts as idle: a machine that does other
things too needs minutes, and who kills it for that has it begin again."""
FIRST_BATCH = 120.0
"""What a query may take for its first batch, before it counts as idle."""
START = "start"
"""Stands for the application while no query runs yet."""
LOOK_AFTER = 5.0
"""Seconds without a finished batch after which we look whether Spark at least works on one."""


class Health:
    """Told by the queries' threads and by Spark's listener, asked by the heartbeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: dict[str, float] = {}
        self._unproved: set[str] = set()
        self._waiting: dict[str, str] = {}
        self._work: dict[str, Callable[[], object]] = {}
        self._work_seen: dict[str, object] = {}
        self._finished[START] = time.monotonic() + START_SECONDS

    def started(self, query: str) -> None:
        """The query begins; its first batch compiles code and reads state, and may take long."""
        with self._lock:
            self._finished.pop(START, None)
            self._unproved.add(query)
            self._waiting.pop(query, None)
            self._finished[query] = time.monotonic() + FIRST_BATCH

    def watch(self, query: str, work: Callable[[], object]) -> None:
        """`work` gives a value that changes whenever Spark has done something for the query, within a batch too."""
        with self._lock:
            self._work[query] = work

    def finished(self, query: str) -> None:
        """The query ended a batch, or had nothing to do."""
        with self._lock:
            self._finished[query] = time.monotonic()
            self._unproved.discard(query)
            self._waiting.pop(query, None)

    def waiting(self, query: str, why: str) -> None:
        """The query waits for a service that is down: neither progress nor a stall."""
        with self._lock:
            self._waiting[query] = why
            if START in self._finished:
                self._finished[START] = time.monotonic() + START_SECONDS

    def came(self, service: str) -> None:
        """The service that something waited for has answered."""
        with self._lock:
            self._waiting.pop(service, None)

    def forget(self) -> None:
        """No query runs any more."""
        with self._lock:
            for told in (self._finished, self._waiting, self._work, self._work_seen):
                told.clear()
            self._unproved.clear()

    def idle(self) -> float:
        """Seconds since the slowest query, of those that wait for no service, finished a batch or a part of one."""
        for query, since in self._idle_queries().items():
            if since > LOOK_AFTER:
                self._look_for_work(query)
        return max(self._idle_queries().values(), default=0.0)

    def proved(self) -> bool:
        """Whether every query has finished a batch since its start, or waits for a service that is down."""
        with self._lock:
            queries = self._finished.keys() - {START}
            return bool(queries) and self._unproved <= self._waiting.keys()

    def note(self) -> str | None:
        with self._lock:
            return "; ".join(f"{query} waits: {why}" for query, why in sorted(self._waiting.items())) or None

    def _idle_queries(self) -> dict[str, float]:
        now = time.monotonic()
        with self._lock:
            return {q: max(0.0, now - at) for q, at in self._finished.items() if q not in self._waiting}

    def _look_for_work(self, query: str) -> None:
        """A long batch is no stall while Spark's tasks go on finishing."""
        if (work := self._work.get(query)) is None:
            return
        seen = work()
        with self._lock:
            if query in self._finished and seen != self._work_seen.get(query, seen):
                self._finished[query] = time.monotonic()
            self._work_seen[query] = seen
