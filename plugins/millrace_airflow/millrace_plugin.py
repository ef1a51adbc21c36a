"""What Airflow loads of Millrace; it is the only file in this folder that Airflow scans, so it stays light."""

from airflow.plugins_manager import AirflowPlugin

from millrace_airflow.timetable import GaplessTimetable


class MillracePlugin(AirflowPlugin):
    """Registers the timetable."""

    name = "millrace"
    timetables = [GaplessTimetable]  # noqa: RUF012  Airflow declares it so
