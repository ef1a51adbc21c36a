"""The charts of docs/performance.md: ages by rate on a scale for milliseconds and seconds, and bronze's by minute."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.measure import middle
from bench.report import load

RATES = (1000, 5000, 20000)
WHERE = {"live": "#2f6f8f", "bronze": "#8f6f2f", "kafka engine": "#8f8f8f"}
MINUTES = {"bronze": WHERE["bronze"], "bare script": "#8f8f8f"}
LEFT, WIDTH, ROW = 190, 620, 18
DECADES = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Bar:
    """The ages of one table at one rate, in seconds."""

    label: str
    colour: str
    p50: float
    p99: float


def chart() -> str | None:
    """SVG text; none where nothing has been measured."""
    bars = [bar for rate in RATES for bar in _bars(rate)]
    if not bars:
        return None
    height = len(bars) * ROW + 50
    return _svg(height, [*_grid(height), *(_drawn(n, bar) for n, bar in enumerate(bars))])


def minutes_chart() -> str | None:
    """The 99th percentile of each minute in bronze and in the bare script's table; none before it was measured."""
    kept = load("bronze")
    series = {who: kept["result"].get(who) for who in MINUTES} if kept else {}
    found = {who: ages[0]["by_minute"] for who, ages in series.items() if ages}
    if not any(found.values()):
        return None
    high = math.ceil(max(map(max, filter(None, found.values()))))
    return _svg(230, [*_scale(high), *(_line(who, minutes, high) for who, minutes in found.items() if minutes)])


def _svg(height: int, inside: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{height}" '
        f'font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(inside)}</svg>\n'
    )


def _scale(high: int) -> Iterator[str]:
    for second in range(high + 1):
        y = 200 - 180 * second / high
        yield f'<line x1="{LEFT}" y1="{y:.0f}" x2="{LEFT + WIDTH}" y2="{y:.0f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end" fill="#555">{second} s</text>'


def _line(who: str, minutes: list[float], high: int) -> str:
    step = WIDTH / max(1, len(minutes) - 1)
    points = " ".join(f"{LEFT + n * step:.0f},{200 - 180 * value / high:.0f}" for n, value in enumerate(minutes))
    y, colour = 20 + 16 * list(MINUTES).index(who), MINUTES[who]
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="10" y="{y}" fill="{colour}">{who}, p99</text>'
        f'<text x="{LEFT + WIDTH}" y="218" text-anchor="end" fill="#555">minutes: {len(minutes)}</text>'
    )


def _bars(rate: int) -> Iterator[Bar]:
    kept = load(f"live-{rate}")
    rounds: list[dict[str, Any]] = [r["ages"] for r in kept["result"]] if kept else []
    for where, colour in WHERE.items():
        found = [ages[where] for ages in rounds if where in ages]
        if found:
            middles = (middle(age[key] for age in found) for key in ("p50", "p99"))
            yield Bar(f"{where}, {rate:,}/s", colour, *middles)


def _drawn(number: int, bar: Bar) -> str:
    """A bar to the median, a lighter one on to the 99th percentile."""
    y, median, high = 34 + number * ROW, _x(bar.p50), _x(bar.p99)
    return (
        f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end">{bar.label}</text>'
        f'<rect x="{LEFT}" y="{y}" width="{high - LEFT:.0f}" height="12" fill="{bar.colour}" opacity="0.4"/>'
        f'<rect x="{LEFT}" y="{y}" width="{median - LEFT:.0f}" height="12" fill="{bar.colour}"/>'
        f'<text x="{high + 5:.0f}" y="{y + 10}">{bar.p50:.2f} / {bar.p99:.2f} s</text>'
    )


def _grid(height: int) -> Iterator[str]:
    for seconds in DECADES:
        x = _x(seconds)
        yield f'<line x1="{x:.0f}" y1="28" x2="{x:.0f}" y2="{height - 10}" stroke="#ddd"/>'
        yield f'<text x="{x:.0f}" y="20" text-anchor="middle" fill="#555">{seconds:g} s</text>'


def _x(seconds: float) -> float:
    low, high = math.log10(DECADES[0]), math.log10(DECADES[-1])
    share = (math.log10(max(seconds, DECADES[0])) - low) / (high - low)
    return LEFT + share * WIDTH
