"""The lake goes back to an older state while the driver is stopped: what it has lost is read from Kafka again."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.faults.bench import Bench
from tests.faults.test_checkpoint import crash, start_again
from tests.services.platform import await_that
from tests.services.truth import lake_count

BOTH = ("bronze", "quarantine")
BAD = 3


def crash_with_bad_records(bench: Bench, what: str) -> None:
    """Kill the driver once bronze and quarantine both hold something that they did not before."""
    known = bad_records(bench)
    for number in range(BAD):
        value = f"{what} {number}, no JSON".encode()
        bench.refused.add(value)
        bench.load.send(value)
    bench.load.flow(100)
    bench.recover(within=240)
    await_that(lambda: bad_records(bench) == known + BAD, "quarantine to have the bad records")
    crash(bench)


def bad_records(bench: Bench) -> int:
    return lake_count(bench.lab.settings, "quarantine", bench.lab.source)


def folder(bench: Bench, layer: str) -> Path:
    return Path(bench.lab.settings.lake) / layer / bench.lab.source


def asides(bench: Bench) -> int:
    checkpoint = bench.lab.checkpoint(bench.lab.landing)
    return len(list(checkpoint.parent.glob(f"{checkpoint.name}.aside-*")))


@pytest.mark.parametrize("layers", [BOTH, ("bronze",)], ids=["both tables", "bronze alone"])
def test_an_older_copy_is_restored(layers: Sequence[str], bench: Bench, tmp_path: Path) -> None:
    """Where it is bronze alone, quarantine holds later records: bronze lacks good ones that lie before them."""
    crash_with_bad_records(bench, f"before the copy of {layers}")
    for layer in layers:
        shutil.copytree(folder(bench, layer), tmp_path / layer)
    start_again(bench)
    crash_with_bad_records(bench, f"after the copy of {layers}")
    before = asides(bench)
    for layer in layers:
        shutil.rmtree(folder(bench, layer))
        shutil.copytree(tmp_path / layer, folder(bench, layer))
    start_again(bench)
    assert asides(bench) == before + 1


def test_an_older_version_is_restored(bench: Bench) -> None:
    """By RESTORE: the version is a new one, and the transactions of its applications stay."""
    crash_with_bad_records(bench, "before the version")
    versions = {layer: DeltaTable(folder(bench, layer)).version() for layer in BOTH}
    start_again(bench)
    crash_with_bad_records(bench, "after the version")
    before = asides(bench)
    for layer, version in versions.items():
        DeltaTable(folder(bench, layer)).restore(version)
    start_again(bench)
    assert asides(bench) == before + 1


def test_the_newest_commits_lose_their_content(bench: Bench) -> None:
    """As after a power loss: the names are on the disk, and what was written to them is not."""
    crash_with_bad_records(bench, "in the last commit")
    before = asides(bench)
    for layer in BOTH:
        newest = max((folder(bench, layer) / "_delta_log").glob("*.json"))
        assert newest.stat().st_size
        newest.write_bytes(b"")
    start_again(bench)
    assert list((folder(bench, "quarantine") / "_delta_log").glob("*.json.aside-*"))
    assert asides(bench) == before + 1
