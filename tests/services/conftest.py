"""The whole stack, for the tests that need all of it."""

import pytest

from deploy.local.airflow_api import AirflowApi
from tests.services.platform import Platform
from tests.stack import TestStack


@pytest.fixture(scope="session")
def platform(stack: TestStack) -> Platform:
    """Everything that `make up` starts, with the simulator off and the streams running."""
    stack.start()
    return Platform(stack.settings, stack.environment, AirflowApi(stack.settings))
