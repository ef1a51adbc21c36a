"""For all tests: settings that can only reach a stack of the tests' own, that stack, and a marker per folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from millrace import settings as settings_module
from millrace.settings import PREFIX, ROOT

if TYPE_CHECKING:
    from tests.stack import TestStack

STATE = ROOT / ".millrace-test"
FOLDERS = ("unit", "compose", "dags", "spark", "services", "browser", "faults")
"""Kinds of tests, cheapest first: in this order they run."""
KEPT = {f"{PREFIX}DOWNLOADS"}

# A busy machine must not fail a property: examples are not timed.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """For `make soak`."""
    parser.addoption("--hours", type=float, default=1.0, help="how long the soak goes on")
    parser.addoption("--seed", type=int, default=1, help="which faults the soak draws")


def pytest_configure(config: pytest.Config) -> None:
    """Forget the user's settings before anything reads them: no test may touch a stack that is not its own."""
    for folder in FOLDERS:
        config.addinivalue_line("markers", f"{folder}: tests in tests/{folder}/")
    config.addinivalue_line("markers", "core: a fault test that `make test` runs too")
    for name in [name for name in os.environ if name.startswith(PREFIX) and name not in KEPT]:
        del os.environ[name]
    os.environ |= {
        f"{PREFIX}STATE_DIR": str(STATE),
        f"{PREFIX}PROJECT_DIR": str(ROOT),
        f"{PREFIX}PORT_OFFSET": "10000",
        f"{PREFIX}SIMULATOR_RATE": "0",
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(_folder(item))
    items.sort(key=lambda item: FOLDERS.index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(scope="session")
def stack() -> Iterator["TestStack"]:
    """The tests' own stack, empty at first: `stack.start("kafka", "postgres")` or `stack.start()` brings it up."""
    from tests.stack import TestStack

    if STATE.exists():
        TestStack(ROOT).stop()
        shutil.rmtree(STATE)
    project = STATE / "project"
    for folder in ("sources", "models", "expectations"):
        shutil.copytree(ROOT / folder, project / folder)
    os.environ[f"{PREFIX}PROJECT_DIR"] = str(project)
    settings_module.settings.cache_clear()
    stack = TestStack(project)
    yield stack
    stack.stop()
    os.environ[f"{PREFIX}PROJECT_DIR"] = str(ROOT)
    settings_module.settings.cache_clear()
