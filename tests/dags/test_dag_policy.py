"""What every DAG must have: an owner, a page, tags, retries, a pool, one run at a time, no circle."""

from datetime import timedelta
from pathlib import Path

import pytest

from millrace import names
from millrace.errors import ConfigError, DataError, TransientError

DAGS = Path(__file__).resolve().parents[2] / "dags"
POOLS = {names.BATCH_POOL, names.STREAM_POOL}


def test_dag_files_are_thin():
    assert {p.name for p in DAGS.glob("*.py") if len(p.read_text().splitlines()) > 30} == set()


def test_the_platform_has_its_dags(dags):
    assert {
        names.stream_dag(names.STREAM_GROUP),
        names.STREAM_CONTROL_DAG,
        names.MAINTENANCE_DAG,
        names.QUARANTINE_DAG,
        names.medallion_dag("shop"),
    } <= set(dags)


def test_parsing_loads_no_spark_and_no_gx():
    """In a process of its own, since other tests may have loaded them."""
    import subprocess
    import sys

    code = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; bag = DagBag(sys.argv[1]);"
        "print({'pyspark', 'great_expectations', 'clickhouse_connect', 'pandas'} & set(sys.modules), len(bag.dags))"
    )
    done = subprocess.run([sys.executable, "-c", code, DAGS], capture_output=True, text=True, check=True)
    loaded, count = done.stdout.strip().rsplit(" ", 1)
    assert loaded == "set()"
    assert int(count) >= 3


def test_every_dag_says_what_it_is(dags):
    for dag in dags.values():
        assert dag.doc_md, dag.dag_id
        assert dag.description, dag.dag_id
        assert names.PLATFORM_TAG in dag.tags, dag.dag_id
        assert len(dag.tags) > 1, dag.dag_id
        assert dag.catchup is False, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id
        dag.check_cycle()


def test_every_task_has_owner_page_pool_and_retries(dags):
    for task in (t for dag in dags.values() for t in dag.tasks):
        assert task.owner not in ("", "airflow"), task
        assert task.doc_md, task
        assert task.pool in POOLS, task
        assert task.on_failure_callback, task
        if task.task_id == "supervise":  # the streams must never stay unwatched for long
            assert (task.retries, task.retry_delay) == (100_000, timedelta(seconds=5))
            continue
        assert task.retries == 3, task
        assert task.retry_exponential_backoff, task
        assert task.max_retry_delay == timedelta(minutes=5), task


@pytest.mark.parametrize(
    ("error", "action"),
    [(DataError("a gate"), "fail"), (ConfigError("a contract"), "fail"), (TransientError("a service"), "default")],
)
def test_data_errors_are_not_retried(dags, error, action):
    for task in (t for dag in dags.values() for t in dag.tasks):
        assert task.retry_policy.evaluate(error, try_number=1, max_tries=3).action.value == action


def test_every_dag_can_be_stored(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).dag_id == dag.dag_id
