"""The stream driver dies: at random moments, between two commits, or with its lease."""

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults.bench import Bench
from tests.faults.driver import Driver, is_running, move
from tests.faults.lab import Lab, change_counts
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows

SLOW_START = 240


@pytest.mark.timeout(2400)
def test_killed_at_random_points_twenty_times(bench: Bench) -> None:
    """Some die in their first batch, some later."""
    dice, held = random.Random(4), bench.driver.await_running()
    for _ in range(20):
        if dice.random() < 0.7:
            bench.recover(within=SLOW_START)
        bench.load.flow(dice.randrange(1, 300))
        killed = bench.driver.kill()
        assert not is_running(killed)
        after = bench.driver.await_running(beyond=held.epoch)
        assert after.pid != killed
        held = after
    bench.check()


@pytest.mark.core
def test_killed_between_deltas_commit_and_sparks_commit_log(bench: Bench) -> None:
    killed_in_a_batch(bench, lambda: lake_batch(bench.lab), bench.lab.landing)


def test_killed_between_clickhouses_answer_and_the_end_of_the_batch(bench: Bench) -> None:
    killed_in_a_batch(bench, lambda: live_batch(bench.lab), bench.lab.live)


def test_killed_there_before_a_model_is_built_anew(bench: Bench) -> None:
    """The model is filled with what the live table holds; the batch that comes again is not to be in it twice."""
    killed_in_a_batch(bench, lambda: live_batch(bench.lab), bench.lab.live, meanwhile=lambda: change_counts(bench.lab))


def killed_in_a_batch(
    bench: Bench, written: Callable[[], int], query: str, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Kill the driver between a batch's write and its entry in the query's checkpoint; all is there once after it."""
    batch = kill_between(bench.driver, written, lambda: committed_batch(bench.lab, query))
    assert written() == batch > committed_batch(bench.lab, query)
    meanwhile()
    bench.driver.start()
    bench.recover(within=SLOW_START)
    bench.check()


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
    checkpoint = json.loads((lab.checkpoint(lab.landing) / "metadata").read_text())["id"]
    newest = max((Path(lab.settings.lake) / "bronze" / lab.source / "_delta_log").glob("*.json"))
    written = [json.loads(line).get("txn") for line in newest.read_text().splitlines()]
    return max((int(txn["version"]) for txn in written if txn and txn["appId"].endswith(checkpoint)), default=-1)


def live_batch(lab: Lab) -> int:
    """The last batch of this checkpoint that the live table holds."""
    checkpoint = json.loads((lab.checkpoint(lab.live) / "metadata").read_text())["id"]
    sql = f"SELECT max(_batch_id) AS n FROM live.`{lab.source}` WHERE _checkpoint = '{checkpoint}'"
    return int(clickhouse_rows(lab.settings, sql)[0]["n"])


def committed_batch(lab: Lab, query: str) -> int:
    """The last batch whose end Spark has written down."""
    files = (lab.checkpoint(query) / "commits").iterdir()
    return max((int(file.name) for file in files if file.name.isdigit()), default=-1)


def test_a_second_driver_is_refused(bench: Bench, drive: Callable[[Lab], Driver]) -> None:
    first, ends = bench.driver.held(), len(bench.driver.ends)
    with drive(bench.lab) as second:
        await_that(lambda: second.ends, "the second driver to end", SLOW_START)
        assert set(second.ends) == {1}
        assert "is held by pid" in second.log
    assert bench.driver.held().epoch == first.epoch
    assert len(bench.driver.ends) == ends
    bench.load.flow(300)
    bench.check()


def test_a_driver_that_slept_past_its_lease_cannot_commit(bench: Bench, drive: Callable[[Lab], Driver]) -> None:
    """Two drivers at once, as on two machines: one is frozen, another takes over, and then the first one wakes."""
    old, first = bench.driver, bench.driver.await_running()
    old.hands_off()
    old.signal(signal.SIGSTOP)
    move(bench.lab.settings, bench.lab.group, "another machine")
    await_that(lambda: not old.held().alive, "the lease to run out")
    with drive(bench.lab) as new:
        second = new.await_running(beyond=first.epoch)
        bench.recover(within=SLOW_START)
        assert is_running(old.pid)
        old.signal(signal.SIGCONT)
        await_that(lambda: not is_running(old.pid), "the old driver to end", 60)
        bench.load.flow(300)
        assert new.held().epoch == second.epoch
        assert "fenced" in old.log
        bench.check()
    old.start()
    bench.recover(within=SLOW_START)


def test_a_models_readers_are_killed(new_lab: Callable[..., Lab], drive: Callable[[Lab], Driver]) -> None:
    """Spark's Python processes, which read the live table for a model, die in the midst of it; the driver lives on."""
    lab = new_lab(windows=True)
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        load.flow(300)
        recovery(lab, load, within=SLOW_START)
        for _ in range(5):
            readers = await_that(lambda: readers_of(driver), "processes that read for the model")
            for reader in readers:
                reader.kill()
            psutil.wait_procs(readers, timeout=10)
            load.flow(300)
        recovery(lab, load, within=SLOW_START)
        load.stop()
        counted = reconcile(lab, load)
        sql = f"SELECT sum(events) AS n FROM realtime.{lab.source}_windows"
        await_that(
            lambda: clickhouse_rows(lab.settings, sql)[0]["n"] == len(counted.first_of_each), "every window", 240
        )
        assert not driver.ends, driver.log[-3000:]


def readers_of(driver: Driver) -> list[psutil.Process]:
    """The processes that Spark has started beside the driver's own."""
    return [p for p in psutil.Process(driver.pid).children(recursive=True) if "pyspark" in " ".join(p.cmdline()[1:4])]
