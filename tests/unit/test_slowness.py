"""A batch that a driver ran out of memory with is read slowly, and nothing else is."""

import threading
from pathlib import Path

import pytest

from millrace.errors import TransientError
from spark_jobs.edges.slowness import Pace, Slowness, after

USUAL, SLOW = Pace(500, 2), Pace(4, 1)


def batch(slowness: Slowness, query: str) -> None:
    with slowness.turn(query, lambda: None):
        pass


def test_only_after_a_driver_without_memory():
    assert Slowness(needed=False).pace("landing", parallelism=2) == USUAL
    assert Slowness(needed=True).pace("landing", parallelism=2) == SLOW


def test_after_that_batch_the_query_starts_again_and_reads_as_usual():
    slowness = Slowness(needed=True)
    slowness.pace("landing", parallelism=2)
    slowness.leave("landing")
    batch(slowness, "landing")
    with pytest.raises(TransientError, match="goes on as usual"):
        slowness.leave("landing")
    assert slowness.pace("landing", parallelism=2) == USUAL
    slowness.leave("landing")
    batch(slowness, "landing")
    slowness.leave("landing")


def test_slow_batches_come_one_after_the_other():
    slowness, waited, order = Slowness(needed=True), threading.Event(), []
    for query in ("landing", "live"):
        slowness.pace(query, parallelism=2)

    def live() -> None:
        with slowness.turn("live", waited.set):
            order.append("live")

    other = threading.Thread(target=live)
    with slowness.turn("landing", lambda: None):
        other.start()
        assert waited.wait(10)
        order.append("landing")
    other.join(10)
    assert order == ["landing", "live"]


def test_a_slow_batch_that_fails_gives_its_turn_away():
    slowness = Slowness(needed=True)
    slowness.pace("landing", parallelism=2)
    with pytest.raises(OSError, match="away"), slowness.turn("landing", lambda: None):
        raise OSError("away")
    batch(slowness, "landing")


def test_the_mark_counts_once(tmp_path: Path):
    mark = tmp_path / "stream-g.out-of-memory"
    assert not after(mark)
    mark.touch()
    assert after(mark)
    assert not after(mark)
