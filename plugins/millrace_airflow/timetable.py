"""The timetable of scheduled DAGs: no interval is skipped after an outage, none made up before the first."""

from datetime import timedelta

from airflow.sdk import timezone
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

SETTLE = timedelta(minutes=10)
"""Airflow asks again and again for the first interval; this long after its end it is still the answer."""


class GaplessTimetable(CronDataIntervalTimetable):
    """Starts with the interval in which it is first asked, and from then on runs every one in order.

    With `catchup=False` alone, Airflow skips the hours during which it was down, and their rows would wait in bronze
    for a backfill that nobody asked for; with `catchup=True` it would run every hour since the start date.
    """

    description = "Every interval in order, from the one in which the DAG appeared"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if last_automated_data_interval is None and not restriction.catchup:
            return self._first(restriction)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction._replace(catchup=True)
        )

    def _first(self, restriction: TimeRestriction) -> DagRunInfo | None:
        start = self._align_to_prev(timezone.coerce_datetime(timezone.utcnow() - SETTLE))
        if restriction.earliest is not None:
            start = max(start, self._align_to_next(restriction.earliest))
        if restriction.latest is not None and start > restriction.latest:
            return None
        return DagRunInfo.interval(start=start, end=self._get_next(start))
