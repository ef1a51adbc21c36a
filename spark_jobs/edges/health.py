"""How the streaming queries do: when each last finished something, and what each waits for."""

import threading
import time

FIRST_BATCH = 240.0
"""Seconds that a query's first batch may take before it counts as idle."""


class Health:
    """Told by the queries' threads and by Spark's listener, asked by the heartbeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: dict[str, float] = {}
        self._waiting: dict[str, str] = {}

    def started(self, query: str) -> None:
        """The query begins; its first batch compiles code and reads state, and may take long."""
        with self._lock:
            self._finished[query] = time.monotonic() + FIRST_BATCH

    def finished(self, query: str) -> None:
        """The query ended a batch, or had nothing to do."""
        with self._lock:
            self._finished[query] = time.monotonic()
            self._waiting.pop(query, None)

    def waiting(self, query: str, why: str) -> None:
        """The query waits for a service that is down: neither progress nor a stall."""
        with self._lock:
            self._waiting[query] = why

    def came(self, service: str) -> None:
        """The service that something waited for has answered."""
        with self._lock:
            self._waiting.pop(service, None)

    def forget(self) -> None:
        """No query runs any more."""
        with self._lock:
            self._finished.clear()
            self._waiting.clear()

    def idle(self) -> float:
        """Seconds since the slowest query, of those that wait for no service, finished something."""
        with self._lock:
            moments = [at for query, at in self._finished.items() if query not in self._waiting]
        return max(0.0, time.monotonic() - min(moments)) if moments else 0.0

    def note(self) -> str | None:
        with self._lock:
            return "; ".join(f"{query} waits: {why}" for query, why in sorted(self._waiting.items())) or None
