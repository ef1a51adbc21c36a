"""The stream driver dies: at random moments, between two commits, or with its lease."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import Driver, is_running
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows

Drive = Callable[[Lab], Driver]


def kill_at_random(driver: Driver, load: Load, times: int, seed: int) -> None:
    """Kill running drivers, some in their first batch, some later; asserts that each kill took a process."""
    dice, held = random.Random(seed), driver.await_running()
    for _ in range(times):
        if dice.random() < 0.7:
            recovery(driver.lab, load, within=120)
        load.flow(dice.randrange(1, 300))
        killed = driver.kill()
        assert not is_running(killed)
        after = driver.await_running(beyond=held.epoch)
        assert after.pid != killed
        held = after
    assert driver.ends.count(-9) == times


@pytest.mark.timeout(1800)
def test_killed_at_random_points_twenty_times(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        kill_at_random(driver, load, times=20, seed=4)
        load.stop()
        reconcile(lab, load)


@pytest.mark.core
def test_killed_between_deltas_commit_and_sparks_commit_log(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        recovery(lab, load, within=120)
        for _ in range(2):
            batch = kill_between(driver, lambda: lake_batch(lab), lambda: committed_batch(lab, lab.landing))
            assert lake_batch(lab) == batch > committed_batch(lab, lab.landing)
            driver.start()
            recovery(lab, load, within=120)
        load.stop()
        reconcile(lab, load)


def test_killed_between_clickhouses_answer_and_the_end_of_the_batch(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        recovery(lab, load, within=120)
        for _ in range(2):
            batch = kill_between(driver, lambda: live_batch(lab), lambda: committed_batch(lab, lab.live))
            assert live_batch(lab) == batch > committed_batch(lab, lab.live)
            driver.start()
            recovery(lab, load, within=120)
        load.stop()
        reconcile(lab, load)


def kill_between(driver: Driver, written: Callable[[], int], committed: Callable[[], int]) -> int:
    """Kill the driver after a batch was written, and before its end is in the checkpoint; the batch.

    The driver is frozen for the look, so that what is seen is what it is killed in.
    """

    def caught() -> int | None:
        batch = written()
        if batch <= committed():
            return None
        driver.signal(signal.SIGSTOP)
        if batch > committed():
            return batch
        driver.signal(signal.SIGCONT)
        return None

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (batch := caught()) is not None:
            driver.stop()
            return batch
    raise TimeoutError("in two minutes, no batch was seen written and not committed")


def lake_batch(lab: Lab) -> int:
    """The last batch that bronze holds, from the transactions in Delta's own log."""
    newest = max((Path(lab.settings.lake) / "bronze" / lab.source / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for line in newest.read_text().splitlines()]
    return max((int(a["txn"]["version"]) for a in actions if "txn" in a), default=-1)


def live_batch(lab: Lab) -> int:
    return int(clickhouse_rows(lab.settings, f"SELECT max(_batch_id) AS n FROM live.`{lab.source}`")[0]["n"])


def committed_batch(lab: Lab, query: str) -> int:
    """The last batch whose end Spark has written down."""
    files = (lab.checkpoint(query) / "commits").iterdir()
    return max((int(file.name) for file in files if file.name.isdigit()), default=-1)


def test_a_second_driver_is_refused(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        first = driver.await_running()
        with drive(lab) as second:
            await_that(lambda: second.ends, "the second driver to end")
            assert set(second.ends) == {1}
            assert "is held by pid" in second.log
        assert driver.held().epoch == first.epoch
        assert driver.ends == []
        load.flow(300)
        load.stop()
        reconcile(lab, load)


def test_a_driver_that_slept_past_its_lease_cannot_commit(lab: Lab, drive: Drive) -> None:
    """Two drivers at once: one is frozen, its lease runs out, another takes over, and then the first one wakes."""
    with drive(lab) as old, Load(lab) as load:
        first = old.await_running()
        recovery(lab, load, within=120)
        old.signal(signal.SIGSTOP)
        await_that(lambda: not old.held().alive, "the lease to run out")
        with drive(lab) as new:
            second = new.await_running(beyond=first.epoch)
            recovery(lab, load, within=120)
            old.hands_off()
            old.signal(signal.SIGCONT)
            await_that(lambda: not is_running(old.pid), "the old driver to end", 60)
            load.flow(300)
            assert new.held().epoch == second.epoch
            assert "fenced" in old.log
            load.stop()
            reconcile(lab, load)
