"""The timetable of medallion DAGs: no interval is skipped after an outage, none made up before the first."""

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable


class GaplessTimetable(CronDataIntervalTimetable):
    """Starts with the latest complete interval, as `catchup=False` does, and from then on runs every one in order.

    With `catchup=False` alone, Airflow skips the hours during which it was down, and their rows would wait in bronze
    for a backfill that nobody asked for; with `catchup=True` it would run every hour since the start date.
    """

    description = "Every interval in order, from the first one that was scheduled"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        began = last_automated_data_interval is not None
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval,
            restriction=restriction._replace(catchup=restriction.catchup or began),
        )
