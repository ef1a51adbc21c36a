"""The soak: seeded random faults under steady load for hours, and how long each recovery took (`make soak`)."""

import json
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.bench import Bench
from tests.faults.histogram import table
from tests.faults.poison import poison
from tests.faults.services import away, hold_for, kill_part
from tests.services.platform import await_that

Fault = Callable[[Bench, random.Random], None]
LIMIT = 300.0
"""Seconds after which a recovery counts as none."""


@dataclass(frozen=True)
class Recovery:
    """One fault, and the seconds from its end until everything that was acknowledged by then could be read."""

    fault: str
    at: float
    seconds: float


def driver_killed(bench: Bench, _: random.Random) -> None:
    bench.driver.kill()


def driver_frozen(bench: Bench, _: random.Random) -> None:
    """Past its lease, and killed then, as supervision does."""
    bench.driver.signal(signal.SIGSTOP)
    await_that(lambda: not bench.driver.held().alive, "the lease of a frozen driver to run out")
    bench.driver.kill()


def checkpoint_lost(bench: Bench, dice: random.Random) -> None:
    bench.driver.stop()
    shutil.rmtree(bench.lab.checkpoint(dice.choice([bench.lab.landing, bench.lab.live])))
    bench.driver.start()


def answer_lost(bench: Bench, _: random.Random) -> None:
    bench.proxy.drop_answer_to(b"INSERT INTO live.")
    await_that(lambda: not bench.proxy.armed, "an insert to be answered", LIMIT)


def request_cut(bench: Bench, _: random.Random) -> None:
    bench.proxy.cut_request_of(b"INSERT INTO live.")
    await_that(lambda: not bench.proxy.armed, "an insert to be cut", LIMIT)


def poison_sent(bench: Bench, _: random.Random) -> None:
    for value in poison().values():
        bench.load.send(value)


def killed(part: str) -> Fault:
    return lambda bench, _: _kill(bench, part)


def gone(part: str) -> Fault:
    return lambda bench, dice: _away(bench, dice, part)


def _kill(bench: Bench, part: str) -> None:
    kill_part(bench.stack, part)


def _away(bench: Bench, dice: random.Random, part: str) -> None:
    with away(bench.stack, part):
        hold_for(dice.uniform(5, 60), lambda: True)


FAULTS: Mapping[str, Fault] = {
    "driver killed": driver_killed,
    "driver frozen": driver_frozen,
    "checkpoint lost": checkpoint_lost,
    "answer of ClickHouse lost": answer_lost,
    "request to ClickHouse cut": request_cut,
    "poison": poison_sent,
    **{f"{part} killed": killed(part) for part in ("kafka", "clickhouse", "postgres", "registry")},
    **{f"{part} away": gone(part) for part in ("kafka", "clickhouse", "postgres")},
}


@pytest.mark.timeout(0)
def test_soak(bench: Bench, pytestconfig: pytest.Config) -> None:
    seed, hours = pytestconfig.getoption("--seed"), pytestconfig.getoption("--hours")
    bench.refused |= set(poison().values())
    recoveries = suffer(bench, random.Random(seed), timedelta(hours=hours))
    report(recoveries, seed, bench.stack.settings.state_dir / f"soak-{seed}.json")
    bench.check()


def suffer(bench: Bench, dice: random.Random, duration: timedelta) -> list[Recovery]:
    """One random fault after the other, each once everything has recovered from the last."""
    began, recoveries = time.monotonic(), list[Recovery]()
    bench.recover(within=LIMIT)
    while time.monotonic() - began < duration.total_seconds():
        bench.load.flow(dice.randrange(100, 3000))
        name = dice.choice(sorted(FAULTS))
        at = time.monotonic() - began
        FAULTS[name](bench, dice)
        seconds = bench.recover(within=LIMIT)
        recoveries.append(Recovery(name, round(at, 1), round(seconds, 1)))
        Console(stderr=True).print(f"{at:8.0f} s  {name}: recovered in {seconds:.1f} s")
    return recoveries


def report(recoveries: list[Recovery], seed: int, path: Path) -> None:
    """The histogram for people, and every figure as JSON."""
    path.write_text(json.dumps({"seed": seed, "recoveries": [asdict(r) for r in recoveries]}, indent=2) + "\n")
    Console(stderr=True).print(
        table([(r.fault, r.seconds) for r in recoveries], f"recovery times, seed {seed}; {path}")
    )
