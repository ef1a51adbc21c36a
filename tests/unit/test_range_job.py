"""The order of a range job's work; what the work does is tested on an engine."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock
from typing import Any

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


def test_after_an_error_nothing_new_begins(monkeypatch: pytest.MonkeyPatch):
    begun: list[str] = []
    together, seen = Barrier(_AT_ONCE, timeout=10), Event()
    shutdown = ThreadPoolExecutor.shutdown

    def ending(pool: ThreadPoolExecutor, *args: Any, **options: Any) -> None:
        seen.set()
        shutdown(pool, *args, **options)

    def work(name: str) -> None:
        begun.append(name)
        together.wait()
        if name == "0":
            raise ValueError("the gate of 0")
        assert seen.wait(timeout=10)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", ending)
    waiting = {str(n): () for n in range(_AT_ONCE + 3)} | {"last": ("0",)}
    with pytest.raises(ValueError, match="the gate of 0"):
        _at_once(waiting, work)
    assert sorted(begun) == [str(n) for n in range(_AT_ONCE)]
