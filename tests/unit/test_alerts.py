"""Alerts never fail whoever raises them."""

import logging
from typing import Any

import psycopg
import pytest

from millrace.alerting import alert
from millrace.control.alerts import raise_alert, resolve_alerts
from millrace.settings import Settings


class Gone:
    """A connection that PostgreSQL has closed."""

    def execute(self, *_: object) -> None:
        raise psycopg.OperationalError("the connection is closed")


def test_without_postgres_an_alert_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    gone: Any = Gone()
    assert not raise_alert(gone, kind="driver_down", subject="streams", message="gave up", severity="critical")
    assert resolve_alerts(gone, "driver_down", "streams") is None
    assert "alert driver_down, streams: gave up" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING, logging.WARNING]


def test_a_control_plane_that_is_away_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Settings(postgres_host="127.0.0.1", postgres_port=1)
    alert(nowhere, kind="task_failed", subject="shop_medallion.stage", message="broke", severity="critical")
    assert "alert task_failed, shop_medallion.stage: broke; in this log alone" in caplog.text
