"""Steps run in the order of their needs, next to each other where they can, and stop at the first failure."""

import io
import threading
from collections.abc import Callable

import pytest
from rich.console import Console

from deploy.local.flow import Step, run_steps


def quiet() -> Console:
    return Console(file=io.StringIO(), width=100)


def recorder(done: list[str]) -> Callable[[str], Callable[[], None]]:
    return lambda name: lambda: done.append(name)


def test_a_step_waits_for_what_it_needs() -> None:
    done: list[str] = []
    record = recorder(done)
    run_steps([Step("c", record("c"), ("b",)), Step("b", record("b"), ("a",)), Step("a", record("a"))], quiet())
    assert done == ["a", "b", "c"]


def test_needs_that_are_not_wanted_are_not_waited_for() -> None:
    done: list[str] = []
    run_steps([Step("b", recorder(done)("b"), ("not wanted",))], quiet())
    assert done == ["b"]


def test_steps_without_needs_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)  # either alone would wait for the other in vain

    def meet() -> None:
        meeting.wait()

    run_steps([Step("a", meet), Step("b", meet)], quiet())


def test_after_a_failure_nothing_that_needs_it_starts() -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run_steps([Step("a", fail), Step("b", recorder(done)("b"), ("a",))], quiet())
    assert not done


def test_a_line_tells_how_each_step_went() -> None:
    console = quiet()
    run_steps([Step("kafka", lambda: "127.0.0.1:9092")], console)
    assert isinstance(console.file, io.StringIO)
    assert "✓ kafka" in console.file.getvalue()
    assert "127.0.0.1:9092" in console.file.getvalue()
