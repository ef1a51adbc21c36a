"""The figures: `python -m bench live | landing | ... | all`; `make bench` and `make bench ONLY=landing` call this."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from bench import figures
from bench.page import write_page
from bench.stack import BenchStack, choose_stack
from millrace.cli.errors import CleanErrors

app = typer.Typer(cls=CleanErrors, add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
console = Console(width=None if sys.stdout.isatty() else 150)
Rounds = Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are shown.")]
Rate = Annotated[float, typer.Option(help="Events per second.")]
Seconds = Annotated[float, typer.Option(help="How long, after the warm-up.")]
PerHour = Annotated[int, typer.Option(help="Events of an hour.")]


def the_stack() -> BenchStack:
    choose_stack()
    return BenchStack(console)


@app.command()
def live(
    rate: Rate = 5000,
    seconds: Seconds = 60,
    rounds: Rounds = 1,
    modes: Annotated[str, typer.Option(help="millrace, rival (streams pause), both.")] = "millrace,rival",
    warm: Annotated[float, typer.Option(help="Seconds of load before the first round.")] = figures.DRIVER_WARM_UP,
) -> None:
    """Produced to queryable, of every event, in ClickHouse and in bronze, beside ClickHouse's Kafka engine."""
    figures.show_live(the_stack(), rate, seconds, rounds, modes.split(","), warm)


@app.command()
def landing(
    events: Annotated[int, typer.Option(help="How many lie in the topic.")] = 2_000_000, rounds: Rounds = 3
) -> None:
    """Landing's throughput beside a bare Spark script and ClickHouse's Kafka engine."""
    figures.show_landing(the_stack(), events, rounds)


@app.command()
def models(rate: Rate = 5000, seconds: Seconds = 60, rounds: Rounds = 2) -> None:
    """What ten more real-time models cost."""
    figures.show_models(the_stack(), rate, seconds, rounds)


@app.command()
def bronze(rate: Rate = 5000, seconds: Seconds = 120, rounds: Rounds = 1) -> None:
    """Produced to queryable in Delta, beside the bare script; --seconds 1800 shows a saw-tooth if there is one."""
    figures.show_bronze(the_stack(), rate, seconds, rounds)


@app.command()
def refine(
    per_hour: PerHour = 100_000,
    histories: Annotated[str, typer.Option(help="Hours of history, with commas.")] = "1,10,100",
    rounds: Rounds = 3,
) -> None:
    """Refining one hour with 1x, 10x and 100x history."""
    figures.show_refine(the_stack(), per_hour, [int(h) for h in histories.split(",")], rounds)


@app.command()
def gate(rows: Annotated[int, typer.Option(help="Rows to judge.")] = 1_000_000, rounds: Rounds = 3) -> None:
    """A gate of 20 rules beside one aggregate and beside plain Great Expectations."""
    figures.show_gate(the_stack(), rows, rounds)


@app.command()
def rebuild(per_hour: PerHour = 100_000, rounds: Rounds = 2) -> None:
    """A day in one range job beside a bare Spark job."""
    figures.show_rebuild(the_stack(), per_hour, rounds)


@app.command()
def backfill(hours: Annotated[int, typer.Option()] = 24, per_hour: PerHour = 100_000) -> None:
    """Airflow's own backfill of a day, all tasks and gates."""
    figures.show_backfill(the_stack(), hours, per_hour)


@app.command()
def sustained(
    rates: Annotated[str, typer.Option(help="Events per second, with commas, rising.")] = "20000",
    minutes: Annotated[float, typer.Option(help="How long at each.")] = 10,
) -> None:
    """The highest rate at which lag stays flat, producers to gold and ClickHouse."""
    figures.show_sustained(the_stack(), [float(r) for r in rates.split(",")], minutes)


@app.command()
def memory() -> None:
    """Memory of everything that runs."""
    figures.show_memory(the_stack())


@app.command()
def sizes() -> None:
    """Bytes that one event takes in Kafka, bronze and ClickHouse."""
    figures.show_sizes(the_stack())


@app.command()
def page() -> None:
    """Put the newest results into docs/performance.md."""
    for name in write_page():
        console.print(f"no result for {name} yet: python -m bench {name.split('-')[0]}", style="dim")


@app.command()
def stop() -> None:
    """Stop the stack that figures are measured on; its data stays."""
    the_stack().stop()


@app.command(name="all")
def every_figure(
    only: Annotated[str, typer.Option(help="Names of figures, with commas; all without it.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Short runs: ten minutes instead of an hour.")] = False,
) -> None:
    """Every figure of docs/performance.md, one after the other; then the stack is stopped."""
    stack = the_stack()
    plan = QUICK if quick else FULL
    try:
        for name in only.split(",") if only else plan:
            if name not in plan:
                raise typer.BadParameter(f"no figure '{name}'; there are {', '.join(plan)}")
            console.rule(name)
            plan[name](stack)
    finally:
        stack.stop()


def _live(stack: BenchStack, rates: tuple[float, ...], seconds: float, rounds: int) -> None:
    for rate in rates:
        figures.show_live(stack, rate, seconds, rounds, ("millrace", "rival"))


FULL: dict[str, Callable[[BenchStack], None]] = {
    "landing": partial(figures.show_landing, events=2_000_000, rounds=3),
    "live": partial(_live, rates=(1000, 5000, 20000), seconds=60, rounds=2),
    "models": partial(figures.show_models, rate=5000, seconds=60, rounds=2),
    "bronze": partial(figures.show_bronze, rate=5000, seconds=180, rounds=1),
    "gate": partial(figures.show_gate, rows=1_000_000, rounds=3),
    "refine": partial(figures.show_refine, per_hour=100_000, histories=[1, 10, 100], rounds=3),
    "rebuild": partial(figures.show_rebuild, per_hour=100_000, rounds=2),
    "backfill": partial(figures.show_backfill, hours=24, per_hour=100_000),
    "sustained": partial(figures.show_sustained, rates=[20_000], minutes=10),
    "memory": figures.show_memory,
    "sizes": figures.show_sizes,
}
QUICK: dict[str, Callable[[BenchStack], None]] = {
    "landing": partial(figures.show_landing, events=1_000_000, rounds=1),
    "live": partial(_live, rates=(5000,), seconds=20, rounds=1),
    "models": partial(figures.show_models, rate=5000, seconds=20, rounds=1),
    "bronze": partial(figures.show_bronze, rate=5000, seconds=20, rounds=1),
    "gate": partial(figures.show_gate, rows=200_000, rounds=1),
    "refine": partial(figures.show_refine, per_hour=20_000, histories=[1, 10], rounds=1),
    "rebuild": partial(figures.show_rebuild, per_hour=20_000, rounds=1),
    "backfill": partial(figures.show_backfill, hours=2, per_hour=20_000),
    "sustained": partial(figures.show_sustained, rates=[20_000], minutes=1),
    "memory": figures.show_memory,
    "sizes": figures.show_sizes,
}


if __name__ == "__main__":
    app()
