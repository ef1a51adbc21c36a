"""The few calls of Airflow's REST API that the stack needs."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import requests

from millrace.settings import Settings


@dataclass(frozen=True)
class AirflowApi:
    """Airflow's public REST API, as the stack's own user."""

    settings: Settings

    @cached_property
    def _token(self) -> str:
        login = {
            "username": self.settings.airflow_user,
            "password": self.settings.airflow_password.get_secret_value(),
        }
        answer = requests.post(f"{self.settings.airflow_url}/auth/token", json=login, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Call `/api/v2/<path>` and return the decoded answer; raises requests.HTTPError."""
        answer = requests.request(
            method,
            f"{self.settings.airflow_url}/api/v2/{path}",
            json=body,
            params={key: str(value) for key, value in query.items()},
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def ensure_pool(self, name: str, slots: int) -> None:
        """Create a pool, unless it is there (then its size is the operator's business)."""
        try:
            self.call("GET", f"pools/{name}")
        except requests.HTTPError as error:
            if error.response.status_code != requests.codes.not_found:
                raise
            self.call("POST", "pools", {"name": name, "slots": slots, "include_deferred": False})

    def has_dag(self, dag: str) -> bool:
        return any(row["dag_id"] == dag for row in self.call("GET", "dags", limit=200)["dags"])

    def runs(self, dag: str, **query: object) -> list[dict[str, Any]]:
        """Runs of a DAG, newest first; `run_type="manual"` gives those that were triggered by hand."""
        return list(self.call("GET", f"dags/{dag}/dagRuns", limit=20, order_by="-run_after", **query)["dag_runs"])

    def trigger(self, dag: str, **params: object) -> str:
        """Start a run by hand; its id."""
        return str(self.call("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": params})["dag_run_id"])

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Task instances of a run."""
        return list(self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances", limit=200)["task_instances"])

    def failed_tasks(self, dag: str, run: str) -> list[str]:
        """Ids of the tasks that failed in a run."""
        return [str(task["task_id"]) for task in self.tasks(dag, run) if task["state"] == "failed"]

    def backfill(self, dag: str, first: datetime, last: datetime, *, reprocess: str, max_active_runs: int) -> int:
        """Have the DAG run from the interval that begins at `first` to the one at `last`; the id of the backfill.

        `reprocess`: which runs that exist are run again: `none`, `failed` or `completed`.
        """
        dates = {"from_date": first.isoformat(), "to_date": last.isoformat()}
        how = {"reprocess_behavior": reprocess, "max_active_runs": max_active_runs}
        return int(self.call("POST", "backfills", {"dag_id": dag} | dates | how)["id"])

    def has_ended(self, backfill: int) -> bool:
        return bool(self.call("GET", f"backfills/{backfill}")["completed_at"])
