"""The order of a range job's work; what the work does is tested on an engine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Lock

import pytest

from spark_jobs.range_job import _AT_ONCE, _at_once

MODELS = {"days": (), "facts": (), "users": ("days",), "totals": ("users", "facts")}


def test_each_begins_after_those_that_it_waits_for():
    ended: list[str] = []
    lock = Lock()

    def work(name: str) -> None:
        with lock:
            assert set(MODELS[name]) <= set(ended)
            ended.append(name)

    _at_once(MODELS, work)
    assert sorted(ended) == sorted(MODELS)


def test_what_waits_for_nothing_goes_on_at_once():
    together = Barrier(2, timeout=10)
    _at_once({"gate": (), "stage": ()}, lambda _: together.wait())


def test_after_an_error_nothing_new_begins():
    begun: list[str] = []
    first = Barrier(_AT_ONCE, timeout=10)

    def work(name: str) -> None:
        begun.append(name)
        first.wait()
        if name == "0":
            raise ValueError("the gate of 0")
        failed.wait(timeout=10)

    failed = Event()
    waiting = {str(n): () for n in range(_AT_ONCE + 3)} | {"last": ("0",)}
    with pytest.raises(ValueError, match="the gate of 0"), _set_when_cancelled(failed):
        _at_once(waiting, work)
    assert sorted(begun) == [str(n) for n in range(_AT_ONCE)]


@contextmanager
def _set_when_cancelled(failed: Event) -> Iterator[None]:
    """The others end once the pool has been told to take nothing new."""
    shutdown = ThreadPoolExecutor.shutdown

    def told(pool: ThreadPoolExecutor, *args: bool, **options: bool) -> None:
        shutdown(pool, wait=False, cancel_futures=options.get("cancel_futures", False))
        failed.set()
        shutdown(pool, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "shutdown", told)
        yield
