"""Checkpoints are truncated, as a crash or a full disk leaves them, or lost entirely."""

import shutil
from pathlib import Path

import pytest

from tests.faults.bench import Bench


def crash(bench: Bench) -> None:
    """Kill the driver while records flow, and start no other."""
    bench.load.flow(100)
    bench.driver.stop()


def start_again(bench: Bench) -> None:
    bench.load.flow(100)
    bench.driver.start()
    bench.recover(within=240)
    bench.check()


@pytest.mark.core
def test_lost_entirely(bench: Bench) -> None:
    crash(bench)
    for query in (bench.lab.landing, bench.lab.live):
        shutil.rmtree(bench.lab.checkpoint(query))
        assert not bench.lab.checkpoint(query).exists()
    start_again(bench)


@pytest.mark.parametrize("lost", ["landing", "live"])
def test_one_query_loses_its_own(lost: str, bench: Bench) -> None:
    crash(bench)
    shutil.rmtree(bench.lab.checkpoint(getattr(bench.lab, lost)))
    start_again(bench)


def test_an_older_copy_is_restored(bench: Bench, tmp_path: Path) -> None:
    """Spark finds nothing wrong with it, and gives its next batches the numbers of some that the tables hold."""
    crash(bench)
    folders = [bench.lab.checkpoint(query) for query in (bench.lab.landing, bench.lab.live)]
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.name)
    start_again(bench)
    crash(bench)
    for folder in folders:
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / folder.name, folder)
    start_again(bench)
    assert all(list(folder.parent.glob(f"{folder.name}.aside-*")) for folder in folders)


@pytest.mark.parametrize("part", ["offsets", "commits", "metadata"])
@pytest.mark.parametrize("share", [0.0, 0.5], ids=["no bytes", "half of it"])
def test_truncated(share: float, part: str, bench: Bench) -> None:
    """The newest file of each query has lost its end, and nobody has a checksum of it."""
    crash(bench)
    for query in (bench.lab.landing, bench.lab.live):
        cut = newest_file(bench.lab.checkpoint(query) / part)
        content = cut.read_bytes()
        cut.write_bytes(content[: int(len(content) * share)])
        assert cut.stat().st_size < len(content)
        cut.with_name(f".{cut.name}.crc").unlink(missing_ok=True)
    start_again(bench)


def newest_file(place: Path) -> Path:
    """The file itself, or that of the highest batch in a folder."""
    if place.is_file():
        return place
    return max((p for p in place.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))
