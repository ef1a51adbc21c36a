"""Runs the queries of a stream group as the control plane wishes: running, paused, or drained and gone."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql.streaming.query import StreamingQuery

from millrace.errors import MillraceError
from spark_jobs.attempts import SET_APART, Attempt, Prerequisite
from spark_jobs.edges.passing import cause, ends_the_driver, passes
from spark_jobs.edges.query_alerts import QueryAlerts
from spark_jobs.stream_app import QuerySpec, StreamApp

log = logging.getLogger(__name__)
_POLL = 0.2
_FINISH = 120.0
"""How long a batch may take to finish while we stop; then its query is interrupted, and the batch comes again."""
_RAN_WELL = 60.0
"""A query that ran this long before it failed is tried again as if for the first time."""


class QueryFailed(MillraceError):
    """The last landing ended by an error that does not pass, or the lease is gone; the driver stops, and says why."""


@dataclass
class Running:
    """A query that was started, and when."""

    query: StreamingQuery
    since: float = field(default_factory=time.monotonic)


@dataclass
class Supervisor:
    """Starts what is to run, starts again what a service's absence has ended, and stops between batches.

    A query that fails for good is set apart: alerted, tried again ever later, and in nobody's way. Where no source
    lands any more, the driver ends.
    """

    app: StreamApp
    specs: Sequence[QuerySpec]
    topics: Prerequisite
    tables: Prerequisite
    running: dict[str, Running] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)
    alerts: QueryAlerts = field(init=False)

    def __post_init__(self) -> None:
        subjects = {spec.name for spec in self.specs} | {self.topics.service, self.tables.service}
        self.alerts = QueryAlerts(self.app.fence, frozenset(subjects))

    def run_until_drained(self) -> None:
        """Follow the wish, until it is to drain. An error that leaves nothing to land is raised, and stops all."""
        try:
            self._follow()
        finally:
            self.stop_all("draining")
            self.alerts.tell()

    def _follow(self) -> None:
        while self.app.heartbeat.desired != "drained":
            if self.app.heartbeat.desired == "running":
                self._go_on()
            elif self.running:
                self.stop_all("paused")
            self.alerts.tell()
            time.sleep(_POLL)

    def _go_on(self) -> None:
        """Kafka's topics, and landing; then ClickHouse's tables, which landing does not wait for, and the others."""
        for needed in (self.topics, self.tables):
            self._prepare(needed)
            self._start_missing()
        self._notice_failures()

    def stop_all(self, why: str) -> None:
        """Let every query finish the batch that it is in, and begin no other."""
        self.app.heartbeat.state = "draining"
        log.info("%s: stopping %d queries between their batches", why, len(self.running))
        self.app.stopping.set()
        deadline = time.monotonic() + _FINISH
        for running in self.running.values():
            _stop_between_batches(running.query, deadline)
        self.running.clear()
        self.attempts.clear()
        self.topics.attempt, self.tables.attempt = Attempt(), Attempt()
        self.app.health.forget()
        self.app.stopping.clear()
        self.app.heartbeat.state = "paused" if why == "paused" else "draining"

    def _prepare(self, needed: Prerequisite) -> None:
        """Look whether the service is there, where a query that is due to start needs it."""
        if not needed.ready and any(needed in self._needs(spec) for spec in self._due()):
            self._look(needed)
        if needed.ready:
            self.app.health.came(needed.service)
            self.alerts.works(needed.service)

    def _look(self, needed: Prerequisite) -> None:
        try:
            if why := needed.look(self.running):
                self.app.health.waiting(needed.service, why)
        except Exception as error:
            if ends_the_driver(error) or (needed is self.topics and not self._lands()):
                raise
            self._go_on_without(needed, error)

    def _go_on_without(self, needed: Prerequisite, error: Exception) -> None:
        """What does not pass is alerted and tried again, like a query that is set apart, while the lake goes on."""
        wait = needed.attempt.failed(SET_APART)
        log.error("%s is not ready, next attempt in %.0f s, the lake goes on: %s", needed.service, wait, error)
        self.app.health.waiting(needed.service, f"failed: {cause(error)}")
        self.alerts.failed(needed.service, cause(error))

    def _needs(self, spec: QuerySpec) -> tuple[Prerequisite, ...]:
        return (self.topics, self.tables) if spec.needs_clickhouse else (self.topics,)

    def _due(self) -> list[QuerySpec]:
        """What is to run, does not, and may be tried now."""
        missing = (spec for spec in self.specs if spec.name not in self.running)
        return [spec for spec in missing if self.attempts.setdefault(spec.name, Attempt()).due]

    def _lands(self) -> bool:
        return any(spec.keeps_the_lake and spec.name in self.running for spec in self.specs)

    def _start_missing(self) -> None:
        for spec in [spec for spec in self._due() if all(needed.ready for needed in self._needs(spec))]:
            self._start(spec)
        self.app.heartbeat.state = "running"

    def _start(self, spec: QuerySpec) -> None:
        try:
            for needed in self._needs(spec):
                needed.insist(spec.source)
            self.running[spec.name] = Running(spec.start())
        except Exception as error:  # noqa: BLE001 - what does not pass is raised there, or alerted
            self._failed(spec, error)

    def _notice_failures(self) -> None:
        for spec in self.specs:
            running = self.running.get(spec.name)
            if running is None:
                continue
            ran_well = time.monotonic() - running.since > _RAN_WELL
            if running.query.isActive:
                if ran_well:
                    self.apart.discard(spec.name)
                    self.alerts.works(spec.name)
                continue
            if ran_well:
                self.attempts[spec.name] = Attempt()
            del self.running[spec.name]
            self._failed(spec, running.query.exception() or QueryFailed("nobody knows why"))

    def _failed(self, spec: QuerySpec, error: Exception) -> None:
        if passes(error):
            self._try_later(spec.name, error)
        elif ends_the_driver(error) or self._nothing_lands_without(spec):
            raise QueryFailed(f"{spec.name} ended: {error}") from error
        else:
            self._set_apart(spec, error)

    def _nothing_lands_without(self, failed: QuerySpec) -> bool:
        """Whether `failed` is the last source's landing: all others are set apart."""
        others = (s for s in self.specs if s.keeps_the_lake and s.name != failed.name)
        return failed.keeps_the_lake and all(spec.name in self.apart for spec in others)

    def _set_apart(self, spec: QuerySpec, error: Exception) -> None:
        wait = self.attempts.setdefault(spec.name, Attempt()).failed(SET_APART)
        log.error("%s failed, next attempt in %.0f s, the others go on: %s", spec.name, wait, error)
        self.app.health.waiting(spec.name, f"failed: {cause(error)}")
        self.apart.add(spec.name)
        self.alerts.failed(spec.name, cause(error))
        for needed in self._needs(spec):
            # A table that is gone is a reason to fail, a source that was refused another: look before the next attempt.
            if needed is self.tables or spec.source in needed.refused:
                needed.ready = False

    def _try_later(self, name: str, error: Exception) -> None:
        """A service was away for longer than Spark waits: the query goes on from its checkpoint once it is back."""
        wait = self.attempts.setdefault(name, Attempt()).failed()
        log.warning("%s starts again in %.0f s: %s", name, wait, cause(error))
        self.app.health.waiting(name, cause(error))


def _stop_between_batches(query: StreamingQuery, deadline: float) -> None:
    """An idle query is stopped; a busy one ends by itself when its next batch is refused."""
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
        time.sleep(0.01)
    query.stop()
