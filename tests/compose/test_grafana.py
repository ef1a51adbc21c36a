"""Grafana's provisioning: the dashboard, the datasource and the compose file name the same things."""

import json
import re
from itertools import combinations
from typing import Any

import yaml

from millrace.settings import ROOT

FOLDER = ROOT / "deploy" / "grafana" / "provisioning"
UID = "millrace-clickhouse"


def provisioned(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text()))


def grafana() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.airflow.yml").read_text())
    return dict(compose["services"]["grafana"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "dashboards" / "shop.json").read_text())["panels"])


def test_the_datasource_has_its_fixed_uid_and_its_variables_are_set() -> None:
    (datasource,) = provisioned("datasources/clickhouse.yaml")["datasources"]
    assert datasource["uid"] == UID
    assert datasource["type"] in grafana()["environment"]["GF_PLUGINS_PREINSTALL_SYNC"]
    used = set(re.findall(r"\$\{(\w+)\}", (FOLDER / "datasources" / "clickhouse.yaml").read_text()))
    assert used <= grafana()["environment"].keys()


def test_dashboards_are_read_from_where_they_are_mounted() -> None:
    (provider,) = provisioned("dashboards/millrace.yaml")["providers"]
    (mounted,) = [m for m in grafana()["volumes"] if m.startswith("./deploy/grafana/provisioning:")]
    target = mounted.split(":")[1]
    assert provider["options"]["path"] == f"{target}/dashboards"
    assert grafana()["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{target}/dashboards/shop.json"


def test_each_panel_has_an_id_a_query_and_says_what_it_shows() -> None:
    shown = [p for p in panels() if p["type"] != "row"]
    assert len({p["id"] for p in panels()}) == len(panels())
    for panel in shown:
        assert panel["description"]
        assert panel["datasource"]["uid"] == UID
        assert [t["datasource"]["uid"] for t in panel["targets"]] == [UID]
        assert panel["targets"][0]["rawSql"].startswith("SELECT ")


def test_no_two_panels_lie_over_each_other() -> None:
    for one, other in combinations([p["gridPos"] for p in panels()], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
        assert one["x"] + one["w"] <= 24
