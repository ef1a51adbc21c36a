"""Disks are full, and have space again; the quarantine's store is away: streams wait, and skip nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.reconcile import reconcile
from tests.faults.recovery import covers, in_bronze, newest, recovery
from tests.faults.services import SmallDisk, hold_for, mounted, on_small_disk, small_disk
from tests.services.platform import await_that
from tests.services.truth import lake_count
from tests.stack import TestStack

Drive = Callable[[Lab], Driver]
FULL_FOR = 30
TOLD = ("No space left on device", "not enough space", "NOT_ENOUGH_SPACE", "No such file", "DISK")


@contextmanager
def full(disk: SmallDisk, load: Load, felt: Callable[[], bool]) -> Iterator[None]:
    """Fill the disk for half a minute, in which somebody has to feel it."""
    disk.fill()
    free = disk.free
    load.flow(100)
    await_that(felt, "the full disk to be felt", 120)
    hold_for(FULL_FOR, lambda: disk.free <= free)
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


def test_clickhouses_disk_is_full(services: TestStack, new_lab: Callable[..., Lab], drive: Drive) -> None:
    """The lake goes on."""
    with on_small_disk(services, "clickhouse", 400) as disk:
        lab = new_lab()
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            recovery(lab, load, within=180)
            with full(disk, load, lambda: "ClickHouse failed, attempt" in driver.log):
                behind = newest(load)
                await_that(lambda: covers(in_bronze(lab), behind), "the lake to go on")
            recovery(lab, load, within=240)
            load.stop()
            reconcile(lab, load)
            assert driver.ends == []


def test_kafkas_disk_is_full(services: TestStack, new_lab: Callable[..., Lab], drive: Drive) -> None:
    """The broker stops; producers wait until it is back."""
    with on_small_disk(services, "kafka", 400) as disk:
        lab = new_lab()
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            recovery(lab, load, within=180)
            disk.fill()
            acked = len(load.acked)
            hold_for(FULL_FOR, lambda: True)
            assert len(load.acked) < acked + FULL_FOR * load.rate / 2, "Kafka took records without space for them"
            disk.give_space()
            services.start("kafka")
            load.flow(300, seconds=180)
            recovery(lab, load, within=240)
            load.stop()
            reconcile(lab, load)


def test_postgres_disk_is_full(services: TestStack, new_lab: Callable[..., Lab], drive: Drive) -> None:
    """Nobody can prove their lease: drivers stop writing, and go on once there is space."""
    with on_small_disk(services, "postgres", 400) as disk:
        lab = new_lab()
        with drive(lab) as driver, Load(lab) as load:
            driver.await_running()
            recovery(lab, load, within=180)
            disk.fill()
            hold_for(FULL_FOR, lambda: disk.free < 4096)
            disk.give_space()
            services.start("postgres")
            recovery(lab, load, within=240)
            load.stop()
            reconcile(lab, load)


def test_the_quarantines_store_is_away(lab: Lab, drive: Drive) -> None:
    """A bad record that cannot be kept stops landing; it is not skipped."""
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        load.flow(100)
        recovery(lab, load, within=120)
        with mounted(Path(lab.settings.lake) / "quarantine" / lab.source, "ro,size=4k"):
            load.send(b"broken")
            load.flow(50)
            stuck = len(load.acked)
            load.flow(600)
            await_that(lambda: any(words in driver.log for words in ("Read-only", "quarantine")), "landing to fail")
            assert lake_count(lab.settings, "bronze", lab.source) < stuck + 400
        load.send(encoded(tick(1)))
        load.flow(100)
        load.stop()
        reconcile(lab, load, refused={b"broken"})
