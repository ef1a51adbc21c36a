"""Each panel of the Grafana dashboard asks something that the real ClickHouse answers, as the read-only user."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from millrace.settings import ROOT, Settings
from tests.services.grafana import Panel, View, panels
from tests.services.platform import Platform, now

DASHBOARD = ROOT / "deploy" / "grafana" / "provisioning" / "dashboards" / "shop.json"


def ask(settings: Settings, sql: str) -> dict[str, Any]:
    """ClickHouse's answer to the user that Grafana logs in as: its columns with their types, and its rows."""
    answer = requests.post(
        f"http://{settings.clickhouse_host}:{settings.clickhouse_http_port}",
        data=f"{sql} FORMAT JSON",
        headers={
            "X-ClickHouse-User": "dashboard",
            "X-ClickHouse-Key": settings.dashboard_password.get_secret_value(),
        },
        timeout=30,
    )
    assert answer.ok, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("panel", list(panels(DASHBOARD)), ids=lambda panel: panel.title)
def test_a_panel_gets_an_answer_of_its_shape(platform: Platform, panel: Panel) -> None:
    view = View(now() - timedelta(hours=6), now() + timedelta(minutes=5))
    columns = {column["name"]: column["type"] for column in ask(platform.settings, view.expand(panel.sql))["meta"]}
    if panel.kind == "timeseries":
        assert next(iter(columns)) == "time"
        assert "DateTime" in columns["time"]
    if panel.kind == "stat":
        assert len(columns) == 1


def test_the_read_only_user_cannot_write(platform: Platform) -> None:
    with pytest.raises(AssertionError, match=r"ACCESS_DENIED|READONLY|Not enough privileges"):
        ask(platform.settings, "DROP VIEW realtime.events_per_minute --")


def test_a_macro_that_grafana_does_not_have_is_found_out() -> None:
    with pytest.raises(KeyError):
        View(now(), now()).expand("SELECT $__nothing(x)")
