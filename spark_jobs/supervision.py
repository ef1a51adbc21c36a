"""Runs the queries of a stream group as the control plane wishes: running, paused, or drained and gone."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pyspark.sql.streaming.query import StreamingQuery

from millrace.clickhouse.client import is_transient
from millrace.errors import MillraceError
from spark_jobs.stream_app import QuerySpec, StreamApp

log = logging.getLogger(__name__)
_POLL = 0.2
_RETRY = 5.0
_FINISH = 120.0
"""How long a batch may take to finish while we stop; then its query is interrupted, and the batch comes again."""


class QueryFailed(MillraceError):
    """A query of the group ended by an error; the whole driver stops and is started again from its checkpoints."""


@dataclass
class Supervisor:
    """Starts what is to run, notices what has ended, and stops between batches."""

    app: StreamApp
    specs: Sequence[QuerySpec]
    prepare_tables: Callable[[], None]
    running: dict[str, StreamingQuery] = field(default_factory=dict)
    _tables_ready: bool = False
    _not_before: float = 0.0

    def run_until_drained(self) -> None:
        """Follow the wish, until it is to drain. When one query ends by itself, all stop, and QueryFailed is raised."""
        try:
            self._follow()
        finally:
            self.stop_all("draining")

    def _follow(self) -> None:
        while self.app.heartbeat.desired != "drained":
            if self.app.heartbeat.desired == "running":
                self._start_missing()
                self._raise_failures()
            elif self.running:
                self.stop_all("paused")
            time.sleep(_POLL)

    def stop_all(self, why: str) -> None:
        """Let every query finish the batch that it is in, and begin no other."""
        self.app.heartbeat.state = "draining"
        log.info("%s: stopping %d queries between their batches", why, len(self.running))
        self.app.stopping.set()
        deadline = time.monotonic() + _FINISH
        for query in self.running.values():
            _stop_between_batches(query, deadline)
        self.running.clear()
        self.app.health.forget()
        self.app.stopping.clear()
        self.app.heartbeat.state = "paused" if why == "paused" else "draining"

    def _start_missing(self) -> None:
        for spec in self.specs:
            if spec.name not in self.running and (self._tables_ready or not spec.needs_clickhouse):
                self.running[spec.name] = spec.start()
        if not self._tables_ready and time.monotonic() >= self._not_before:
            self._try_tables()
        self.app.heartbeat.state = "running"

    def _try_tables(self) -> None:
        """ClickHouse may be away: landing runs without it, and the others follow when it is back."""
        try:
            self.prepare_tables()
            self._tables_ready = True
        except Exception as error:
            if not is_transient(error):
                raise
            self._not_before = time.monotonic() + _RETRY
            log.warning("live queries wait for ClickHouse: %s", error)

    def _raise_failures(self) -> None:
        for name, query in self.running.items():
            if not query.isActive:
                raise QueryFailed(f"{name} ended: {query.exception() or 'nobody knows why'}")


def _stop_between_batches(query: StreamingQuery, deadline: float) -> None:
    """An idle query is stopped; a busy one ends by itself when its next batch is refused."""
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
        time.sleep(0.01)
    query.stop()
