"""The whole stack, for the tests that need all of it."""

from collections.abc import Iterator

import pytest
from psycopg import Connection
from pyspark.sql import SparkSession

from deploy.local import lifecycle
from deploy.local.airflow_api import AirflowApi
from millrace.control.database import apply_schema, connect
from spark_jobs.edges.session import connect_session
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


@pytest.fixture(scope="module")
def spark(stack: TestStack, conn: Connection) -> Iterator[SparkSession]:
    """A session on the Connect server of a stack that has what batch steps need, and nothing else."""
    stack.start("clickhouse", "spark-connect")
    session = connect_session(stack.settings)
    yield session
    session.stop()
