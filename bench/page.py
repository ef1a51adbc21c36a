"""Puts the newest results into docs/performance.md, between its markers; the words there are people's."""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bench import growth
from bench.chart import RATES, chart, minutes_chart
from bench.measure import middle
from bench.report import load
from millrace.settings import ROOT

PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
_MARKED = re.compile(r"(<!-- figure (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Rows = list[list[str]]


def write_page() -> list[str]:
    """Renew every figure that has a result; the names of those that have none."""
    missing: list[str] = []

    def renewed(found: re.Match[str]) -> str:
        text = _growth() if found["name"] == "growth" else figure(load(found["name"]))
        if text is None:
            missing.append(found["name"])
            return found[0]
        return f"{found[1]}{text}{found[3]}"

    PAGE.write_text(_MARKED.sub(renewed, PAGE.read_text()))
    if all(load(f"live-{rate}") for rate in RATES) and (drawing := chart()):
        (IMAGES / "performance-ages.svg").write_text(drawing)  # a part of the rates would take the others' bars away
    if drawing := minutes_chart():
        (IMAGES / "performance-minutes.svg").write_text(drawing)
    return missing


def figure(kept: dict[str, Any] | None) -> str | None:
    if kept is None:
        return None
    name = re.sub(r"-\d+$", "", kept["figure"])
    columns, rows = _TABLES[name](kept["result"])
    return (
        f"{_table(columns, rows)}\n*Measured {kept['at']} on {kept['machine']}, load {kept['load_before']} before.*\n"
    )


def _growth() -> str | None:
    """From three other figures: what an event costs in the streams and in the batch, and what it weighs."""
    kept = [load(name) for name in ("live-20000", "rebuild", "sizes")]
    if None in kept:
        return None
    live, rebuild, size = (found["result"] for found in kept if found)
    cost, weight = growth.costs(live, rebuild), growth.Sizes(**size)
    rows = [growth.needs(events, cost, weight) for events in growth.DAYS]
    across = [list(row) for row in zip(growth.COLUMNS, *rows, strict=True)]
    parts = [[part, f"{value:.1f}"] for part, value in asdict(cost).items()]
    weights = [[part, f"{value:.0f}"] for part, value in asdict(weight).items()]
    return "\n".join(
        (_table(["part", "CPU µs per event"], parts), _table(["where", "bytes per event"], weights),
         _table(across[0], across[1:]))
    )  # fmt: skip


def _table(columns: list[str], rows: Rows) -> str:
    lines = [" | ".join(row) for row in (columns, ["---"] * len(columns), *rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _live(result: Any) -> tuple[list[str], Rows]:
    rows = [
        [f"{name}, {_alone(r['mode'])}", f"{r['rate']:,.0f}", *_ages(age), f"{sum(r['cpu'].values()):.0f}"]
        for r in result
        for name, age in r["ages"].items()
    ]
    return ["queryable in", "events/s", "events", "p50", "p99", "max", "missing", "CPU µs/event of all parts"], rows


def _alone(mode: str) -> str:
    return {"millrace": "everything on", "rival": "streams paused", "both": "both at once"}[mode]


def _landing(result: Any) -> tuple[list[str], Rows]:
    who = list(dict.fromkeys(r["who"] for r in result))
    rates = {w: middle(r["rate"] for r in result if r["who"] == w) for w in who}
    costs = {w: middle(r["cpu_micros"] for r in result if r["who"] == w) for w in who}
    rows = [[w, f"{rates[w]:,.0f}", f"{costs[w]:.1f}", f"{rates['landing'] / rates[w]:.2f}x"] for w in who]
    return ["who", "events/s", "CPU µs/event", "landing is"], rows


def _series(result: Any) -> tuple[list[str], Rows]:
    rows = [[name, *_ages(age)] for name, age in _measured(result)]
    return ["what", "events", "p50", "p99", "max", "missing"], rows


def _minutes(result: Any) -> tuple[list[str], Rows]:
    """The same, with how the 99th percentile of one minute differs from that of another."""
    columns, rows = _series(result)
    spread = (_spread(age["by_minute"]) for _, age in _measured(result))
    return [*columns, "p99 of a minute: least, median, most"], [
        [*row, told] for row, told in zip(rows, spread, strict=True)
    ]


def _measured(result: Any) -> list[tuple[str, dict[str, Any]]]:
    """The ages of each pass, with who made it; a figure keeps its settings beside them."""
    return [(name, age) for name, found in result.items() if isinstance(found, list) for age in found]


def _spread(minutes: list[float]) -> str:
    return ", ".join(f"{value * 1000:,.0f}" for value in (min(minutes), middle(minutes), max(minutes))) + " ms"


def _timed(result: Any) -> tuple[list[str], Rows]:
    who = list(dict.fromkeys(r["who"] for r in result))
    seconds = {w: middle(r["seconds"] for r in result if r["who"] == w) for w in who}
    costs = {w: middle(r["cpu"] * 1e6 / r["rows"] for r in result if r["who"] == w) for w in who}
    least = min(seconds.values())
    return ["who", "rows", "seconds (median)", "CPU µs/row", "of the fastest"], [
        [w, f"{next(r['rows'] for r in result if r['who'] == w):,}", f"{seconds[w]:.2f}", f"{costs[w]:.1f}",
         f"{seconds[w] / least:.2f}x"]
        for w in who
    ]  # fmt: skip


def _backfill(result: Any) -> tuple[list[str], Rows]:
    row = [str(result["hours"]), f"{result['events']:,}", str(result["tasks"])]
    row += [str(result["skipped"]), str(result["failed"])]
    return ["hours", "events", "tasks", "skipped", "failed", "seconds"], [[*row, f"{result['seconds']:,.0f}"]]


def _sustained(result: Any) -> tuple[list[str], Rows]:
    rows = []
    for r in result:
        lags = [[s[path] for s in r["samples"] if s["at"] >= 60] for path in ("landing", "live")]
        worst = [f"{max(lag, default=0):,}" for lag in lags]
        memory = f"{sum(r['memory'].values()) / 2**30:.1f} GiB"
        cpu = f"{sum(r['cpu'].values()):.0f}"
        rows.append([f"{r['rate']:,.0f}", "yes" if r["flat"] else "no", *worst, r["medallion"], cpu, memory])
    return ["events/s", "lag flat", "worst landing lag", "worst live lag", "hourly run", "CPU µs/event", "memory"], rows


def _memory(result: Any) -> tuple[list[str], Rows]:
    parts = [*result.items(), ("all", sum(result.values()))]
    return ["part", "MiB"], [[part, f"{size / 2**20:,.0f}"] for part, size in parts]


def _ages(age: dict[str, Any]) -> list[str]:
    times = [f"{age[key] * 1000:,.0f} ms" for key in ("p50", "p99", "highest")]
    return [f"{age['events']:,}", *times, f"{age['missing']:,}"]


_TABLES: dict[str, Callable[[Any], tuple[list[str], Rows]]] = {
    "live": _live,
    "landing": _landing,
    "models": _series,
    "bronze": _minutes,
    "refine": _timed,
    "gate": _timed,
    "rebuild": _timed,
    "backfill": _backfill,
    "sustained": _sustained,
    "memory": _memory,
}
