"""What all DAGs share: first day, retries, failure callback, and the DAG arguments that follow."""

from datetime import UTC, datetime
from typing import Any

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace_airflow.failures import RETRIES, task_failed, task_succeeded

START = datetime(2020, 1, 1, tzinfo=UTC)
"""No backfill reaches further back; no run is made up for the time since then."""
PLATFORM_OWNER = "platform"


def task_defaults(owner: str, pool: str) -> dict[str, Any]:
    callbacks = {"on_failure_callback": task_failed, "on_success_callback": task_succeeded}
    return RETRIES | callbacks | {"owner": owner, "pool": pool}


def dag_arguments(owner: str, pool: str, tags: list[str], **of_tasks: Any) -> dict[str, Any]:
    """Arguments of every DAG and its tasks; one run at a time, so that a table has one writer."""
    return {
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "tags": [names.PLATFORM_TAG, *tags],
        "default_args": task_defaults(owner, pool) | of_tasks,
    }


def domain_owner(catalog: Catalog, domain: str) -> str:
    """Who answers for a domain: the owner of its first source, else of its first model."""
    owners = [s.owner for s in catalog.sources if s.domain == domain]
    owners += [m.owner for m in catalog.models if m.domain == domain and m.owner]
    return owners[0] if owners else PLATFORM_OWNER
