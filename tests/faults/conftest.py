"""The services that a lab needs, and labs: a source, a topic and tables for one test alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.driver import Driver
from tests.faults.lab import Lab, make_lab
from tests.stack import TestStack

SERVICES = ("postgres", "kafka", "registry", "clickhouse", "deploy")


@pytest.fixture
def services(stack: TestStack) -> TestStack:
    """Everything but Airflow and the batch server, up and answering, whatever the last test has left behind."""
    stack.start(*SERVICES)
    return stack


@pytest.fixture
def new_lab(services: TestStack, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Lab]:
    """Makes the test's lab; `make_lab` says how it may differ from others."""

    def new(**options: object) -> Lab:
        return make_lab(services.settings, tmp_path, request.node.originalname, **options)  # type: ignore[arg-type]

    return new


@pytest.fixture
def lab(new_lab: Callable[..., Lab]) -> Lab:
    return new_lab()


@pytest.fixture
def drive(services: TestStack) -> Callable[[Lab], Driver]:
    """Makes the driver of a lab; it runs within a `with` block."""
    return lambda lab: Driver(lab, services.environment)
