"""A batch that a driver ran out of memory with is read slowly, and nothing else is."""

from pathlib import Path

import pytest

from millrace.errors import TransientError
from spark_jobs.edges.slowness import Pace, Slowness, after

USUAL, SLOW = Pace(500, 2), Pace(4, 1)


def test_only_after_a_driver_without_memory():
    assert Slowness(needed=False).pace("landing", parallelism=2) == USUAL
    assert Slowness(needed=True).pace("landing", parallelism=2) == SLOW


def test_after_that_batch_the_query_starts_again_and_reads_as_usual():
    slowness = Slowness(needed=True)
    slowness.pace("landing", parallelism=2)
    slowness.leave("landing")
    slowness.ended_batch("landing")
    with pytest.raises(TransientError, match="goes on as usual"):
        slowness.leave("landing")
    assert slowness.pace("landing", parallelism=2) == USUAL
    slowness.leave("landing")
    slowness.ended_batch("landing")
    slowness.leave("landing")


def test_the_mark_counts_once(tmp_path: Path):
    mark = tmp_path / "stream-g.out-of-memory"
    assert not after(mark)
    mark.touch()
    assert after(mark)
    assert not after(mark)
