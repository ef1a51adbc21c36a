"""Feeds a source with simulated events: `python -m simulators user_events --rate 20`."""

import random
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from millrace.contracts.catalog import catalog
from millrace.errors import ConfigError, MillraceError
from millrace.kafka import client_settings
from millrace.registry import register
from millrace.settings import settings
from simulators.codec import encoder
from simulators.run import Plan, Report, run

Share = Annotated[float, typer.Option(min=0, max=1)]
console = Console(stderr=True, soft_wrap=True)


def main(  # noqa: PLR0913, PLR0917 - the options of a command line
    source: Annotated[str, typer.Argument(help="Name of a source, e.g. user_events.")],
    rate: Annotated[float, typer.Option(min=0, help="Events per second, the mean over a day; 0: no throttle.")] = 20,
    seed: Annotated[int | None, typer.Option(help="Same seed, same events; default: a new one for each run.")] = None,
    count: Annotated[int | None, typer.Option(min=0, help="Stop after so many events.")] = None,
    start: Annotated[str | None, typer.Option(help="Event time of the first event, ISO-8601; default: now.")] = None,
    speed_up: Annotated[float, typer.Option(min=0.001, help="Seconds of event time per second.")] = 1,
    steady: Annotated[bool, typer.Option("--steady", help="The same rate at every hour of the day.")] = False,
    late: Share = 0,
    skewed: Share = 0,
    duplicates: Share = 0,
    malformed: Share = 0,
    report: Annotated[Path | None, typer.Option(help="Write what was sent as JSON.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write partition, offset, id and kind of every record.")] = None,
) -> None:
    """Send simulated events of one source until stopped, then say exactly what was sent."""
    plan = Plan(
        rate=rate, seed=random.SystemRandom().getrandbits(32) if seed is None else seed, start=_instant(start),
        speed_up=speed_up, count=count, steady=steady, late=late, skewed=skewed, duplicates=duplicates,
        malformed=malformed,
    )  # fmt: skip
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    result = _send(source, plan, stop, truth)
    if report:
        result.write(report)
    console.print(result.line)
    raise typer.Exit(1 if result.failed else 0)


def _send(name: str, plan: Plan, stop: threading.Event, truth: Path | None) -> Report:
    here = settings()
    source = catalog(here.project_dir).source(name)
    encode = encoder(source, register(here, source) if source.format == "avro" else None)
    return run(source, plan, encode, client_settings(here), stop.is_set, console.print, truth)


def _instant(text: str | None) -> float | None:
    """Seconds since 1970 of an ISO-8601 text; without an offset it is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--start {text!r}: expected ISO-8601, e.g. 2026-01-31T08:00:00+00:00") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


if __name__ == "__main__":
    try:
        typer.run(main)
    except MillraceError as error:
        console.print(f"[red]{error}[/red]")
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
