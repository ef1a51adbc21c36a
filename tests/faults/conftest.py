"""The services that a lab needs, and labs: a source, a topic and tables for one test alone."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from deploy.local import downloads, lifecycle
from millrace.names import medallion_dag
from tests.faults.bench import Bench, new_bench
from tests.faults.driver import Driver
from tests.faults.histogram import table
from tests.faults.lab import Lab, make_lab, write_suites
from tests.faults.supervised import Supervised
from tests.services.conftest import platform
from tests.services.platform import Platform, await_that
from tests.stack import TestStack

__all__ = ["platform"]
RECOVERIES = pytest.StashKey[list[tuple[str, float]]]()
SERVICES = ("postgres", "kafka", "registry", "clickhouse", "deploy")


@pytest.fixture
def services(stack: TestStack) -> TestStack:
    """What a driver needs: all but Airflow and the batch server, up and answering, whatever the last test has left."""
    downloads.ensure(downloads.ENGINE, stack.settings.downloads)
    stack.start(*SERVICES)
    return stack


@pytest.fixture
def new_lab(services: TestStack, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Lab]:
    """Makes the test's lab; `make_lab` says how it may differ from others."""

    def new(**options: object) -> Lab:
        return make_lab(services.settings, tmp_path / "project", request.node.originalname, **options)  # type: ignore[arg-type]

    return new


class Benches:
    """The session's bench; a new one, once a test has failed on the last."""

    def __init__(self, stack: TestStack, folders: pytest.TempPathFactory) -> None:
        self._stack, self._folders = stack, folders
        self._opened = ExitStack()
        self._current: Bench | None = None

    def sound(self) -> Bench:
        if self._current is None or not self._current.sound:
            self.close()
            self._current = self._opened.enter_context(new_bench(self._stack, self._folders.mktemp("bench")))
        return self._current

    def close(self) -> None:
        """End its driver and its load."""
        self._current = None
        self._opened.close()


@pytest.fixture(scope="session")
def benches(stack: TestStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    benches = Benches(stack, tmp_path_factory)
    yield benches
    benches.close()


@pytest.fixture
def bench(services: TestStack, benches: Benches) -> Bench:
    """A running driver under steady load; sound again once the test has called `check`."""
    bench = benches.sound()
    bench.sound = False
    return bench


@pytest.fixture
def lab(new_lab: Callable[..., Lab]) -> Lab:
    return new_lab()


@pytest.fixture
def drive(services: TestStack) -> Callable[[Lab], Driver]:
    """Makes the driver of a lab; it runs within a `with` block."""
    return lambda lab: Driver(lab, services.environment)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The whole platform comes last, so that the other tests have the machine for themselves."""
    items.sort(key=lambda item: "supervised" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def supervised_lab(stack: TestStack, benches: Benches) -> Lab:
    """A lab among the sources of the stack's own project; it needs the whole machine."""
    benches.close()
    stack.start(*SERVICES)
    lab = make_lab(stack.settings, stack.project, "ticks")
    write_suites(lab)
    return lab


@pytest.fixture
def supervised(supervised_lab: Lab, platform: Platform, stack: TestStack) -> Supervised:
    """The lab under Airflow's supervision, with every part up and answering."""
    stack.start(*(name for name in lifecycle.everything(stack.stack) if name != lifecycle.FIRST_RUN))
    await_that(lambda: platform.api.has_dag(medallion_dag("lab")), "the lab's hourly DAG", 180)
    return Supervised(stack, platform, supervised_lab)


@pytest.fixture
def noted(pytestconfig: pytest.Config) -> Callable[[str, float], None]:
    """Keeps a time since a moment of `time.monotonic` under a name, for the summary at the end."""
    times = pytestconfig.stash.setdefault(RECOVERIES, [])
    return lambda name, since: times.append((name, time.monotonic() - since))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if times := config.stash.get(RECOVERIES, []):
        text = io.StringIO()
        Console(file=text, width=150).print(table(times, "how long it took"))
        terminalreporter.write_line(text.getvalue())
