"""Keeps the tables that landing writes small and few-filed, between its batches: it is their one writer."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession

from spark_jobs.edges import lake

log = logging.getLogger(__name__)
_GRACE = timedelta(minutes=5)
_LOOK_BACK = timedelta(hours=24)
_RETENTION_EACH = 6
_VACUUM_HOURS = 48


def utc_now() -> datetime:
    return datetime.now(UTC)


class Upkeep:
    """Once an hour has closed: compact its partition; each sixth hour also drop what has outlived its retention."""

    def __init__(self, paths: Sequence[str], retention: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        self._paths, self._retention, self._clock = paths, retention, clock
        self._done = self._closed_hour()

    def after_batch(self, spark: SparkSession) -> None:
        closed = self._closed_hour()
        if closed <= self._done:
            return
        self._done = closed
        for path in self._paths:
            self._compact(spark, path, closed)
            if closed.hour % _RETENTION_EACH == 0:
                self._expire(spark, path)

    def _closed_hour(self) -> datetime:
        """The last hour that surely gets no more rows."""
        return (self._clock() - _GRACE).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)

    def _compact(self, spark: SparkSession, path: str, closed: datetime) -> None:
        """A partition that already is one file costs nothing, so hours that an outage left out are taken along."""
        hours = f"append_hour > {lake.timestamp(closed - _LOOK_BACK)} AND append_hour <= {lake.timestamp(closed)}"
        spark.sql(f"OPTIMIZE {lake.table(path)} WHERE {hours}").collect()
        log.info("compacted %s up to %s", path, closed)

    def _expire(self, spark: SparkSession, path: str) -> None:
        limit = lake.timestamp(self._clock() - self._retention)
        spark.sql(f"DELETE FROM {lake.table(path)} WHERE append_hour < date_trunc('HOUR', {limit})").collect()
        spark.sql(f"VACUUM {lake.table(path)} RETAIN {_VACUUM_HOURS} HOURS").collect()
