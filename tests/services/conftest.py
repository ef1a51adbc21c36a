"""The whole stack, for the tests that need all of it."""

from collections.abc import Iterator

import pytest
from psycopg import Connection

from deploy.local import lifecycle
from deploy.local.airflow_api import AirflowApi
from millrace.control.database import apply_schema, connect
from tests.services.platform import Platform
from tests.stack import TestStack


@pytest.fixture(scope="session")
def platform(stack: TestStack) -> Platform:
    """Everything that `make up` starts, but for the simulator and the first medallion run: the tests do both."""
    stack.start(*(name for name in lifecycle.everything(stack.stack) if name != lifecycle.FIRST_RUN))
    return Platform(stack.settings, stack.environment, AirflowApi(stack.settings))


@pytest.fixture(scope="module")
def conn(stack: TestStack) -> Iterator[Connection]:
    """The control plane of a stack that may have nothing else."""
    stack.start("postgres")
    with connect(stack.settings) as conn:
        apply_schema(conn)
        yield conn
