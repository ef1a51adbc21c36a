"""What Airflow loads of Millrace; it is the only file in this folder that Airflow scans, so it stays light."""

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from millrace_airflow.timetable import GaplessTimetable

PAGE = "/millrace"


class MillracePlugin(AirflowPlugin):
    """Registers the timetable, and the page Millrace in the navigation."""

    name = "millrace"
    timetables = [GaplessTimetable]  # noqa: RUF012  Airflow declares it so

    def __init__(self) -> None:
        super().__init__()
        self.external_views = [
            {
                "name": "Millrace",
                "href": f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PAGE}/",
                "url_route": "millrace",
                "destination": "nav",
                "nav_top_level": True,
            }
        ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Built when asked for: every task process loads this plugin, the API server alone needs the application."""
        from millrace_airflow.pages.app import app

        return [{"app": app, "url_prefix": PAGE, "name": "Millrace"}]
