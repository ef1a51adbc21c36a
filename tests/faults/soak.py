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

from tests.faults.driver import Driver
from tests.faults.histogram import table
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.poison import poison
from tests.faults.proxy import Proxy
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery
from tests.faults.services import away, hold_for, kill_part
from tests.services.platform import await_that
from tests.stack import TestStack

LIMIT = 300.0
"""Seconds after which a recovery counts as none."""


@dataclass(frozen=True)
class Soak:
    """What a fault may harm."""

    stack: TestStack
    lab: Lab
    driver: Driver
    load: Load
    proxy: Proxy
    dice: random.Random


@dataclass(frozen=True)
class Recovery:
    """One fault, and the seconds from its end until everything that was acknowledged by then could be read."""

    fault: str
    at: float
    seconds: float


def driver_killed(soak: Soak) -> None:
    soak.driver.kill()


def driver_frozen(soak: Soak) -> None:
    """Past its lease, and killed then, as supervision does."""
    soak.driver.signal(signal.SIGSTOP)
    await_that(lambda: not soak.driver.held().alive, "the lease of a frozen driver to run out")
    soak.driver.kill()


def checkpoint_lost(soak: Soak) -> None:
    soak.driver.stop()
    shutil.rmtree(soak.lab.checkpoint(soak.dice.choice([soak.lab.landing, soak.lab.live])))
    soak.driver.start()


def answer_lost(soak: Soak) -> None:
    soak.proxy.drop_answer_to(b"INSERT INTO live.")
    await_that(lambda: not soak.proxy.armed, "an insert to be answered", LIMIT)


def request_cut(soak: Soak) -> None:
    soak.proxy.cut_request_of(b"INSERT INTO live.")
    await_that(lambda: not soak.proxy.armed, "an insert to be cut", LIMIT)


def poison_sent(soak: Soak) -> None:
    for value in poison().values():
        soak.load.send(value)


def killed(part: str) -> Callable[[Soak], None]:
    return lambda soak: _kill(soak, part)


def gone(part: str) -> Callable[[Soak], None]:
    return lambda soak: _away(soak, part)


def _kill(soak: Soak, part: str) -> None:
    kill_part(soak.stack, part)


def _away(soak: Soak, part: str) -> None:
    with away(soak.stack, part):
        hold_for(soak.dice.uniform(5, 60), lambda: True)


FAULTS: Mapping[str, Callable[[Soak], None]] = {
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
def test_soak(
    services: TestStack, new_lab: Callable[..., Lab], drive: Callable[[Lab], Driver], pytestconfig: pytest.Config
) -> None:
    seed, hours = pytestconfig.getoption("--seed"), pytestconfig.getoption("--hours")
    settings = services.settings
    with Proxy(settings.clickhouse_host, settings.clickhouse_http_port) as proxy:
        lab = new_lab(clickhouse_http_port=proxy.port - settings.port_offset)
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            soak = Soak(services, lab, driver, load, proxy, random.Random(seed))
            recoveries = suffer(soak, timedelta(hours=hours))
            report(recoveries, seed, services.settings.state_dir.parent / f"soak-{seed}.json")
            load.stop()
            reconcile(lab, load, refused=set(poison().values()))


def suffer(soak: Soak, duration: timedelta) -> list[Recovery]:
    """One random fault after the other, each once everything has recovered from the last."""
    began, recoveries = time.monotonic(), list[Recovery]()
    recovery(soak.lab, soak.load, within=LIMIT)
    while time.monotonic() - began < duration.total_seconds():
        soak.load.flow(soak.dice.randrange(100, 3000))
        name = soak.dice.choice(sorted(FAULTS))
        at = time.monotonic() - began
        FAULTS[name](soak)
        seconds = recovery(soak.lab, soak.load, within=LIMIT)
        recoveries.append(Recovery(name, round(at, 1), round(seconds, 1)))
        Console(stderr=True).print(f"{at:8.0f} s  {name}: recovered in {seconds:.1f} s")
    return recoveries


def report(recoveries: list[Recovery], seed: int, path: Path) -> None:
    """The histogram for people, and every figure as JSON."""
    path.write_text(json.dumps({"seed": seed, "recoveries": [asdict(r) for r in recoveries]}, indent=2) + "\n")
    Console(stderr=True).print(
        table([(r.fault, r.seconds) for r in recoveries], f"recovery times, seed {seed}; {path}")
    )
