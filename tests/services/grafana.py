"""Stands in for Grafana: a dashboard's queries, with the macros of its ClickHouse datasource expanded."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Panel:
    """One panel with its query, as it lies in the dashboard file."""

    title: str
    kind: str
    sql: str


@dataclass(frozen=True)
class View:
    """What a person has chosen: the time range, and the interval that follows from it and the panel's width."""

    start: datetime
    end: datetime
    interval_seconds: int = 60

    def expand(self, sql: str) -> str:
        """The query as the datasource sends it; raises KeyError for a macro that it does not have."""
        return re.sub(r"\$__(\w+)(?:\(([^()]*)\))?", self._macro, sql)

    def _macro(self, found: re.Match[str]) -> str:
        start, end = f"toDateTime({int(self.start.timestamp())})", f"toDateTime({int(self.end.timestamp())})"
        column = found[2]
        return {
            "fromTime": start,
            "toTime": end,
            "interval_s": str(self.interval_seconds),
            "timeFilter": f"{column} >= {start} AND {column} <= {end}",
            "timeInterval": f"toStartOfInterval(toDateTime({column}), INTERVAL {self.interval_seconds} second)",
        }[found[1]]


def panels(dashboard: Path) -> Iterator[Panel]:
    """Every panel that asks something."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield Panel(panel["title"], panel["type"], target["rawSql"])
