"""Keeps the tables that landing writes small, few-filed and of a short log, beside its batches. Only it writes them."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Thread

from pyspark import InheritableThread
from pyspark.sql import SparkSession

from spark_jobs.edges import lake
from spark_jobs.edges.bronze_tables import shorten_log, write_checkpoint

log = logging.getLogger(__name__)
_NAME = "upkeep"
_GRACE = timedelta(minutes=5)
_LOOK_BACK = timedelta(hours=24)
_RETENTION_EACH = 6
_VACUUM_HOURS = 48
_CHECKPOINT_EACH = 100
"""Batches; whether a checkpoint is due then says the table."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def in_thread(work: Callable[[], None]) -> Thread:
    """Begin `work` in a thread that ends with the process, at the latest."""
    thread = InheritableThread(target=work, name=_NAME, daemon=True)
    thread.start()
    return thread


class Upkeep:
    """Each hundred batches: a checkpoint of the log. Once an hour has closed: compact its partition, and shorten the
    log; each sixth hour also drop what has outlived its retention. Batches go on meanwhile. What fails is told in the
    log, and keeps nothing else from being done: an hour is taken along with the next, a checkpoint is due again with
    the next hundred batches.

    A commit a second makes a log of thousands of files an hour, and each commit, and each read, asks for their names.
    `log_hours` tells by table how far back its versions can still be read, after the hour that goes on.
    """

    def __init__(
        self,
        spark: SparkSession,
        log_hours: Mapping[str, int],
        retention: timedelta,
        clock: Callable[[], datetime] = utc_now,
        begin: Callable[[Callable[[], None]], Thread] = in_thread,
    ) -> None:
        self._spark, self._log_hours, self._retention, self._clock = spark, log_hours, retention, clock
        self._begin, self._thread = begin, Thread()
        self._done, self._batches = self._closed_hour(), 0

    def after_batch(self) -> None:
        """Begin what is due, unless the last time's goes on still."""
        self._batches += 1
        due = self._batches >= _CHECKPOINT_EACH or self._closed_hour() > self._done
        if due and not self._thread.is_alive():
            self._batches = 0
            self._thread = self._begin(self._work)

    def _work(self) -> None:
        """In a pool and a job group of its own: its jobs are no sign that landing gets on."""
        for name in ("spark.scheduler.pool", "spark.jobGroup.id"):
            self._spark.sparkContext.setLocalProperty(name, _NAME)
        for path in self._log_hours:
            self._try(path, write_checkpoint, self._spark, path)
        self._look_after_hours()

    def _try(self, path: str, step: Callable[..., None], *given: object) -> None:
        """What keeps one step from its end, a lost file say, keeps no other from its own."""
        try:
            step(*given)
        except Exception:
            log.exception("upkeep of %s", path)

    def _look_after_hours(self) -> None:
        closed = self._closed_hour()
        if closed <= self._done:
            return
        self._done = closed
        for path, hours in self._log_hours.items():
            self._try(path, self._compact, path, closed)
            self._try(path, shorten_log, self._spark, path, hours)
            if closed.hour % _RETENTION_EACH == 0:
                self._try(path, self._delete_expired, path)
                self._try(path, self._vacuum, path)

    def _closed_hour(self) -> datetime:
        """The last hour that surely gets no more rows."""
        return (self._clock() - _GRACE).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)

    def _compact(self, path: str, closed: datetime) -> None:
        """A partition that already is one file costs nothing, so hours that an outage left out are taken along."""
        hours = f"append_hour > {lake.timestamp(closed - _LOOK_BACK)} AND append_hour <= {lake.timestamp(closed)}"
        self._spark.sql(f"OPTIMIZE {lake.table(path)} WHERE {hours}").collect()
        log.info("compacted %s up to %s", path, closed)

    def _delete_expired(self, path: str) -> None:
        limit = lake.timestamp(self._clock() - self._retention)
        self._spark.sql(f"DELETE FROM {lake.table(path)} WHERE append_hour < date_trunc('HOUR', {limit})").collect()

    def _vacuum(self, path: str) -> None:
        self._spark.sql(f"VACUUM {lake.table(path)} RETAIN {_VACUUM_HOURS} HOURS").collect()
