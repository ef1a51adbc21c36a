"""The order of a range job's work; what the work does is tested on an engine."""

from threading import Barrier, Lock

import pytest

from spark_jobs.range_job import _at_once

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

    def work(name: str) -> None:
        begun.append(name)
        if name == "days":
            raise ValueError("the gate of days")

    with pytest.raises(ValueError, match="the gate of days"):
        _at_once(MODELS, work)
    assert "users" not in begun
    assert "totals" not in begun
