"""Disks are full, and have space again; the quarantine's store is away: streams wait, and skip nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.faults.bench import Bench
from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import covers, in_bronze, newest, recovery
from tests.faults.services import SmallDisk, hold_for, mounted, on_small_disk, small_disk
from tests.services.platform import await_that

Drive = Callable[[Lab], Driver]
FULL_FOR = 30


@contextmanager
def full(disk: SmallDisk, load: Load, felt: Callable[[], bool]) -> Iterator[None]:
    """Fill the disk for half a minute, in which somebody has to feel it."""
    disk.fill()
    load.flow(100)
    await_that(lambda: disk.keep_full() and felt(), "the full disk to be felt", 120)
    hold_for(FULL_FOR, disk.keep_full)
    yield
    disk.give_space()


@pytest.mark.parametrize("place", ["lake", "checkpoints"])
def test_the_drivers_disk_is_full(place: str, tmp_path: Path, new_lab: Callable[..., Lab], drive: Drive) -> None:
    with small_disk(tmp_path / "disk", 96) as disk:
        lab = new_lab(**{place: tmp_path / "disk" / place})
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            load.flow(300)
            recovery(lab, load, within=180)
            with full(disk, load, lambda: "No space left on device" in driver.log):
                behind = newest(load)
                assert not covers(in_bronze(lab), behind)
            load.flow(100)
            recovery(lab, load, within=240)
            load.stop()
            reconcile(lab, load)


def test_clickhouses_disk_is_full(bench: Bench) -> None:
    """The lake goes on."""
    ends = len(bench.driver.ends)
    with on_small_disk(bench.stack, "clickhouse", 400) as disk:
        bench.recover()
        with full(disk, bench.load, lambda: "NOT_ENOUGH_SPACE" in bench.driver.log or "No space" in bench.driver.log):
            behind = newest(bench.load)
            await_that(lambda: covers(in_bronze(bench.lab), behind), "the lake to go on")
        bench.recover(within=240)
        bench.check()
        assert len(bench.driver.ends) == ends


def test_kafkas_disk_is_full(bench: Bench) -> None:
    """The broker stops; producers wait until it is back."""
    with on_small_disk(bench.stack, "kafka", 600) as disk:
        bench.recover()
        disk.fill()
        log = bench.stack.stack.logs / "kafka.log"
        await_that(lambda: "No space left on device" in log.read_text(errors="replace"), "the broker to feel it")
        hold_for(FULL_FOR, disk.keep_full)
        disk.give_space()
        bench.stack.start("kafka")
        bench.load.flow(300, seconds=240)
        bench.recover(within=240)
        bench.check()


def test_postgres_disk_is_full(bench: Bench) -> None:
    """Nobody can prove their lease: drivers stop writing, and go on once there is space."""
    with on_small_disk(bench.stack, "postgres", 400) as disk:
        bench.recover()
        disk.fill()
        log = bench.stack.stack.logs / "postgres.log"
        await_that(lambda: "No space left on device" in log.read_text(errors="replace"), "PostgreSQL to feel it", 180)
        hold_for(FULL_FOR, disk.keep_full)
        disk.give_space()
        bench.stack.start("postgres")
        bench.recover(within=240)
        bench.check()


def test_the_quarantines_store_is_away(bench: Bench) -> None:
    """A bad record that cannot be kept stops landing; it is not skipped."""
    lab, load, poison = bench.lab, bench.load, b"broken while the quarantine was away"
    bench.refused.add(poison)
    with mounted(Path(lab.settings.lake) / "quarantine" / lab.source, "ro,size=4k"):
        load.send(poison)
        load.flow(50)
        stuck = newest(load)
        load.flow(300)
        hold_for(FULL_FOR, lambda: not covers(whole(lab), stuck))
    bench.recover(within=240)
    bench.check()


def whole(lab: Lab) -> dict[int, int]:
    """Last offset of each partition that landing has declared done, by the control plane."""
    sql = "SELECT kafka_partition, next_offset - 1 FROM ops.landing_offsets WHERE source = %s"
    with psycopg.connect(lab.settings.postgres_dsn) as connection:
        return dict(connection.execute(sql, (lab.source,)).fetchall())
