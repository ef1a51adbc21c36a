"""Each figure: what is run, in which order, and the table that shows it."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console

from bench import backfill, bare_bronze, batch, gate, growth, landing, live, more_models, sustained
from bench.batch import Timed
from bench.measure import Ages, middle
from bench.report import milliseconds, save, show
from bench.stack import SERVICES, BenchStack

DRIVER_WARM_UP = 120.0
LATENCY = ["where", "rate", "events", "p50", "p99", "max", "missing"]


def show_live(
    stack: BenchStack, rate: float, seconds: float, rounds: int, modes: Iterable[str], warm: float = DRIVER_WARM_UP
) -> None:
    """Ages of every event, live and bronze beside the Kafka engine, in turn."""
    stack.start()
    live.warm_up(stack, rate, warm)
    order = list(modes)
    found = [live.measure_round(stack, m, rate, seconds) for _ in range(rounds) for m in order]  # type: ignore[arg-type]
    rows = [_ages_row(f"{name} ({r.mode})", r.rate, a) for r in found for name, a in r.ages.items()]
    show(stack.console, "Produced to queryable", LATENCY, rows)
    for r in found:
        show_cpu(stack.console, f"mode {r.mode}, {r.rate:,.0f}/s", r.cpu)
    save(f"live-{rate:.0f}", [asdict(r) for r in found])


def show_landing(stack: BenchStack, events: int, rounds: int) -> None:
    """Events a second over a full topic: landing, the bare script, the Kafka engine."""
    stack.start(*SERVICES)
    landing.fill_topic(stack, events)
    runs = []
    with stack.streams("paused"):
        for number in range(rounds):
            for contestant in landing.CONTESTANTS[:: 1 if number % 2 == 0 else -1]:
                runs.append(run := contestant(stack))
                stack.console.print(f"{run.who}: {run.rate:,.0f}/s, {run.cpu_micros:.1f} us CPU per event", style="dim")
    who = list(dict.fromkeys(run.who for run in runs))
    rates = {w: middle(r.rate for r in runs if r.who == w) for w in who}
    costs = {w: middle(r.cpu_micros for r in runs if r.who == w) for w in who}
    rows = [[w, f"{rates[w]:,.0f}", f"{costs[w]:.1f}", f"{rates['landing'] / rates[w]:.2f}x"] for w in who]
    show(stack.console, "Landing", ["who", "events/s", "CPU us/event", "landing is"], rows)
    save("landing", [asdict(r) | {"rate": r.rate, "cpu_micros": r.cpu_micros} for r in runs])


def show_models(stack: BenchStack, rate: float, seconds: float, rounds: int) -> None:
    """What ten more real-time models do to the live table's ages."""
    stack.start()
    live.warm_up(stack, rate, DRIVER_WARM_UP)
    found: dict[str, list[Ages]] = {"as it is": [], "ten more models": []}
    for _ in range(rounds):
        found["as it is"].append(live.measure_round(stack, "millrace", rate, seconds).ages["live"])
        with more_models.added(stack):
            found["ten more models"].append(live.measure_round(stack, "millrace", rate, seconds).ages["live"])
    rows = [_ages_row(name, rate, a) for name, all_ages in found.items() for a in all_ages]
    show(stack.console, "Ten more real-time models", LATENCY, rows)
    save("models", {name: [asdict(a) for a in all_ages] for name, all_ages in found.items()})


def show_bronze(stack: BenchStack, rate: float, seconds: float, rounds: int) -> None:
    """Ages in Delta: bronze with everything on, the bare script alone."""
    stack.start()
    live.warm_up(stack, rate, DRIVER_WARM_UP)
    found: dict[str, list[Ages]] = {"bronze": [], "bare script": []}
    for _ in range(rounds):
        found["bronze"].append(live.measure_round(stack, "millrace", rate, seconds).ages["bronze"])
        found["bare script"].append(bare_bronze.bare_freshness(stack, rate, seconds))
    rows = [_ages_row(name, rate, a) for name, all_ages in found.items() for a in all_ages]
    show(stack.console, "Produced to queryable in Delta", LATENCY, rows)
    save("bronze", {"rate": rate, "seconds": seconds} | {n: [asdict(a) for a in v] for n, v in found.items()})


def show_refine(stack: BenchStack, per_hour: int, histories: list[int], rounds: int) -> None:
    """One hour's refinement with more and more history behind it."""
    stack.start(*SERVICES, "spark-connect")
    found = batch.refine_hours(stack, histories, per_hour, rounds)
    _show_timed(stack, "refine", "Refining one hour to silver", found, f"{histories[0]} h of history")


def show_gate(stack: BenchStack, rows: int, rounds: int) -> None:
    """20 rules: the gate, one aggregate, plain GX."""
    stack.start(*SERVICES, "spark-connect")
    _show_timed(stack, "gate", "A gate of 20 rules", gate.gates(stack, rows, rounds), "one aggregate")


def show_rebuild(stack: BenchStack, per_hour: int, rounds: int) -> None:
    """A day, bronze to gold, in one job."""
    stack.start(*SERVICES, "spark-connect")
    _show_timed(stack, "rebuild", "A day in one job", batch.rebuild_day(stack, per_hour, rounds), "bare job")


def show_backfill(stack: BenchStack, hours: int, per_hour: int) -> None:
    """Airflow's own backfill."""
    stack.start()
    done = backfill.backfill(stack, hours, per_hour)
    row = [
        f"{done.hours} h",
        f"{done.events:,}",
        f"{done.tasks}",
        f"{done.skipped}",
        f"{done.failed}",
        f"{done.seconds:,.0f} s",
    ]
    show(stack.console, "Airflow's backfill", ["hours", "events", "tasks", "skipped", "failed", "took"], [row])
    show_cpu(stack.console, f"{done.hours} h", done.cpu)
    save("backfill", asdict(done))


def show_sustained(stack: BenchStack, rates: list[float], minutes: float) -> None:
    """Lag over time at each rate, until one is not flat."""
    stack.start()
    kept = []
    for rate in rates:
        kept.append(found := sustained.sustain(stack, rate, minutes))
        _show_sustained(stack.console, found)
        if not found.flat:
            break
    save("sustained", [asdict(k) | {"flat": k.flat} for k in kept])


def show_memory(stack: BenchStack) -> None:
    """Memory of everything that runs."""
    stack.start()
    used = sustained.memory(stack)
    _show_memory(stack.console, used)
    save("memory", used)


def show_sizes(stack: BenchStack) -> None:
    """Bytes of an event where it lies; for the page's planning."""
    stack.start()
    found = asdict(growth.sizes(stack))
    rows = [[where, f"{size:,.0f}"] for where, size in found.items()]
    show(stack.console, "Bytes of an event", ["where", "bytes"], rows)
    save("sizes", found)


def show_cpu(console: Console, what: str, cpu: dict[str, float]) -> None:
    parts = ", ".join(f"{part} {micros:.0f}" for part, micros in cpu.items() if micros >= 1)
    console.print(f"CPU microseconds per event, {what}: {sum(cpu.values()):.0f} = {parts}")


def _show_sustained(console: Console, found: sustained.Sustained) -> None:
    rows = [
        [f"{s.at:.0f} s", f"{s.landing:,}", f"{s.live:,}"] for s in found.samples[:: max(1, len(found.samples) // 20)]
    ]
    title = f"{found.rate:,.0f}/s: lag is {'flat' if found.flat else 'NOT flat'}; medallion run: {found.medallion}"
    show(console, title, ["after", "landing lag", "live lag"], rows)
    show_cpu(console, f"{found.rate:,.0f}/s", found.cpu)
    _show_memory(console, found.memory)


def _show_memory(console: Console, used: dict[str, int]) -> None:
    rows = [[part, f"{size / 2**20:,.0f} MiB"] for part, size in [*used.items(), ("all", sum(used.values()))]]
    show(console, "Memory (proportional set size)", ["part", "memory"], rows)


def _show_timed(stack: BenchStack, figure: str, title: str, found: list[Timed], base: str) -> None:
    who = list(dict.fromkeys(t.who for t in found))
    seconds = {w: middle(t.seconds for t in found if t.who == w) for w in who}
    costs = {w: middle(t.cpu * 1e6 / t.rows for t in found if t.who == w) for w in who}
    rows = [[w, f"{seconds[w]:.2f} s", f"{costs[w]:.1f}", f"{seconds[w] / seconds[base]:.2f}x"] for w in who]
    show(stack.console, title, ["who", "median", "CPU us/event", f"of {base}"], rows)
    save(figure, [asdict(t) for t in found])


def _ages_row(name: str, rate: float, found: Ages) -> list[Any]:
    times = [milliseconds(value) for value in (found.p50, found.p99, found.highest)]
    return [name, f"{rate:,.0f}/s", f"{found.events:,}", *times, f"{found.missing:,}"]
