"""The figures: `python -m bench live | landing | ... | all`; `make bench` and `make bench ONLY=landing` call this."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from bench import landing as landing_figure, live as live_figure
from bench.measure import middle
from bench.report import milliseconds, save, show
from bench.stack import BenchStack, choose_stack
from millrace.cli.errors import CleanErrors

app = typer.Typer(cls=CleanErrors, add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
console = Console(width=None if sys.stdout.isatty() else 150)
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are shown.")]


def the_stack() -> BenchStack:
    choose_stack()
    return BenchStack(console)


@app.command()
def live(
    rate: Annotated[float, typer.Option(help="Events per second.")] = 5000,
    seconds: Annotated[float, typer.Option(help="How long, after the warm-up.")] = 60,
    rounds: Rounds = 1,
    modes: Annotated[str, typer.Option(help="millrace, rival (streams pause), both.")] = "millrace,rival",
) -> None:
    """Produced to queryable, of every event, in ClickHouse and in bronze, beside ClickHouse's Kafka engine."""
    stack = the_stack()
    stack.start()
    found = [
        live_figure.measure_round(stack, mode, rate, seconds)  # type: ignore[arg-type]
        for _ in range(rounds)
        for mode in modes.split(",")
    ]
    rows = [
        [
            f"{name}, mode {r.mode}", f"{r.rate:,.0f}/s", f"{a.events:,}", milliseconds(a.p50), milliseconds(a.p99),
            milliseconds(a.highest), f"{a.missing:,}",
        ]
        for r in found for name, a in r.ages.items()
    ]  # fmt: skip
    show(console, "Produced to queryable", ["where", "rate", "events", "p50", "p99", "max", "missing"], rows)
    for r in found:
        parts = ", ".join(f"{part} {micros:.0f}" for part, micros in r.cpu.items() if micros >= 1)
        console.print(f"CPU microseconds per event, mode {r.mode}: {sum(r.cpu.values()):.0f} = {parts}")
    console.print(f"kept in {save(f'live-{rate:.0f}', [live_figure.as_json(r) for r in found])}")


@app.command()
def landing(
    events: Annotated[int, typer.Option(help="How many lie in the topic.")] = 2_000_000, rounds: Rounds = 3
) -> None:
    """Landing's throughput beside a bare Spark script and ClickHouse's Kafka engine."""
    stack = the_stack()
    stack.start("postgres", "kafka", "registry", "clickhouse", "deploy")
    landing_figure.fill_topic(stack, events)
    runs: list[landing_figure.Run] = []
    with stack.streams("paused"):
        for number in range(rounds):
            for contestant in landing_figure.CONTESTANTS[:: 1 if number % 2 == 0 else -1]:
                run = contestant(stack)
                console.print(f"round {number + 1}: {run.who} {run.rate:,.0f}/s, {run.cpu_micros:.1f} us CPU per event")
                runs.append(run)
    names = list(dict.fromkeys(run.who for run in runs))
    rates = {name: middle(r.rate for r in runs if r.who == name) for name in names}
    costs = {name: middle(r.cpu_micros for r in runs if r.who == name) for name in names}
    rows = [[n, f"{rates[n]:,.0f}", f"{costs[n]:.1f}", f"{rates['landing'] / rates[n]:.2f}x"] for n in names]
    show(console, "Landing", ["who", "events/s", "CPU us/event", "landing is"], rows)
    kept = [{"who": r.who, "rate": r.rate, "cpu_micros": r.cpu_micros, "events": r.events} for r in runs]
    console.print(f"kept in {save('landing', kept)}")


if __name__ == "__main__":
    app()
