"""Airflow for tests of DAG files: a home of its own, no metadata database, our plugin registered."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = tempfile.mkdtemp(prefix="airflow-home-")

# Airflow reads its configuration when it is first imported, so this comes before any test imports it.
os.environ |= {
    "AIRFLOW_HOME": HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/unused.db",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
}
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests" / "dags")]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot-update", action="store_true", help="expect what the DAGs look like now")


def pytest_unconfigure() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def dags() -> Iterator[dict]:
    """Every DAG of dags/, as Airflow finds them; an import error fails here."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(ROOT / "dags")
    assert not bag.import_errors, bag.import_errors
    return dict(bag.dags)


@pytest.fixture(scope="session")
def demo():
    """The catalog of a small project of the tests' own: two sources, two gold models."""
    from millrace.contracts.catalog import read_catalog

    return read_catalog(Path(__file__).parent / "project")
