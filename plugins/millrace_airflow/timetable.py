"""The timetable of scheduled DAGs: no interval is skipped after an outage, none made up before the first."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import timezone
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

log = logging.getLogger(__name__)
SETTLE = timedelta(minutes=10)
"""Airflow asks again and again for the first interval; this long after its end it is still the answer."""

MOST_MADE_UP = timedelta(days=7)
"""How far back the first interval may lie, where the ledger ends before the one in which it is asked for."""


class GaplessTimetable(CronDataIntervalTimetable):
    """Starts with the interval in which it is first asked, and from then on runs every one in order.

    With `catchup=False` alone, Airflow skips the hours during which it was down, and their rows would wait in bronze
    for a backfill that nobody asked for; with `catchup=True` it would run every hour since the start date.

    Where Airflow's database is new and the lake is not, it starts where the ledger of the sources that the DAG refines
    ends: else nobody would miss the hours since then.
    """

    description = "Every interval in order, from the one in which the DAG appeared"

    def __init__(self, cron: str, timezone: Any, refines: Collection[str] = ()) -> None:
        super().__init__(cron, timezone)
        self._refines = sorted(refines)

    def serialize(self) -> dict[str, Any]:
        """For the scheduler, which reads no DAG file."""
        return super().serialize() | {"refines": self._refines}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "GaplessTimetable":
        """One that was written by an older version refines nothing that it knows of."""
        found = super().deserialize(data)
        assert isinstance(found, cls)
        found._refines = list(data.get("refines", ()))  # noqa: SLF001 - our own
        return found

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if last_automated_data_interval is None and not restriction.catchup:
            return self._first(restriction)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction._replace(catchup=True)
        )

    def _first(self, restriction: TimeRestriction) -> DagRunInfo | None:
        now = timezone.utcnow() - SETTLE
        start = self._align_to_prev(timezone.coerce_datetime(now))
        if (until := self._refined_until()) is not None:
            start = min(start, self._align_to_prev(timezone.coerce_datetime(max(until, now - MOST_MADE_UP))))
        if restriction.earliest is not None:
            start = max(start, self._align_to_next(restriction.earliest))
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=self._get_next(start))

    def _refined_until(self) -> datetime | None:
        """Asked only while the DAG has no run. Whatever goes wrong must not trouble the scheduler: then as if new."""
        if not self._refines:
            return None
        from millrace.control.database import connect
        from millrace.control.hours import refined_until
        from millrace.settings import settings

        try:
            with connect(settings()) as conn:
                return refined_until(conn, self._refines)
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("the ledger does not say where to start, so it is with the hour that runs: %s", error)
            return None
