"""Upkeep of one table as an Airflow task, which a run by hand may leave out."""

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from millrace_airflow.operators.batch_step import BatchStepOperator
from millrace_airflow.steps import Step


class MaintenanceStepOperator(BatchStepOperator):
    """Calls `step.function(run, table)` unless the param `tables` names tables, and not this one (`layer.table`)."""

    def __init__(self, *, step: Step, layer: str, table: str, **kwargs: object) -> None:
        super().__init__(step=step, table=table, **kwargs)
        self.layer = layer

    def execute(self, context: Context) -> dict[str, Any]:
        """Look after the table, if it was asked for."""
        chosen = context["params"].get("tables") or []
        if chosen and f"{self.layer}.{self.table}" not in chosen:
            raise AirflowSkipException(f"this run looks after {', '.join(chosen)} only")
        return super().execute(context)
