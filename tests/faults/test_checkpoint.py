"""Checkpoints are truncated, as a crash or a full disk leaves them, or lost entirely."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import Driver
from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery

Drive = Callable[[Lab], Driver]


def crashed(driver: Driver, lab: Lab, load: Load) -> None:
    """Run until everything has landed once, then kill the driver."""
    driver.await_running()
    load.flow(600)
    recovery(lab, load, within=120)
    load.flow(200)
    driver.stop()


@pytest.mark.core
def test_lost_entirely(lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        crashed(driver, lab, load)
        for query in (lab.landing, lab.live):
            shutil.rmtree(lab.checkpoint(query))
            assert not lab.checkpoint(query).exists()
        load.flow(200)
        driver.start()
        load.flow(300)
        load.stop()
        reconcile(lab, load)


@pytest.mark.parametrize("lost", ["landing", "live"])
def test_one_query_loses_its_own(lost: str, lab: Lab, drive: Drive) -> None:
    with drive(lab) as driver, Load(lab) as load:
        crashed(driver, lab, load)
        shutil.rmtree(lab.checkpoint(getattr(lab, lost)))
        driver.start()
        load.flow(300)
        load.stop()
        reconcile(lab, load)


@pytest.mark.parametrize("part", ["offsets", "commits", "metadata"])
def test_truncated(part: str, lab: Lab, drive: Drive) -> None:
    """The newest file of each query is cut in half, or has no bytes at all."""
    with drive(lab) as driver, Load(lab) as load:
        crashed(driver, lab, load)
        for query, share in ((lab.landing, 0.0), (lab.live, 0.5)):
            cut = newest_file(lab.checkpoint(query) / part)
            content = cut.read_bytes()
            cut.write_bytes(content[: int(len(content) * share)])
            assert cut.stat().st_size < len(content)
            cut.with_name(f".{cut.name}.crc").unlink(missing_ok=True)
        driver.start()
        load.flow(300)
        load.stop()
        reconcile(lab, load)


def newest_file(place: Path) -> Path:
    """The file itself, or that of the highest batch in a folder."""
    if place.is_file():
        return place
    return max((p for p in place.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
