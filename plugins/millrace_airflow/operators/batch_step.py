"""One step of the medallion as an Airflow task: a function of spark_jobs, called over Spark Connect."""

from dataclasses import fields
from importlib import import_module
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from millrace_airflow.operators.spark_task import SparkTaskOperator
from millrace_airflow.run_interval import interval_of
from millrace_airflow.steps import Step


class BatchStepOperator(SparkTaskOperator):
    """Calls `step.function(run, table)` with a session of its own; what it returns goes to XCom as plain counts.

    A result with `nothing_to_do` skips the task, and those that only wait for its success.
    """

    template_fields = ("table",)

    def __init__(self, *, step: Step, table: str, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.step, self.table = step, table

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the step; DataError and ConfigError fail the task at once, other errors are retried."""
        from millrace.check.healthy import healthy_catalog
        from millrace.settings import settings
        from spark_jobs.batch import BatchRun

        interval, chosen = interval_of(context), settings()
        function = getattr(import_module(self.step.module), self.step.function)
        self.log.info("%s of %s for [%s, %s)", self.step.function, self.table, interval.start, interval.end)
        with self.spark(chosen) as session:
            run = BatchRun(session, chosen, healthy_catalog(chosen.project_dir), interval, context["dag_run"].run_id)
            result = function(run, self.table)
        self.log.info("%s of %s done: %s", self.step.function, self.table, result)
        self.conclude(result)
        return summary_of(result)

    def conclude(self, result: Any) -> None:
        """What the result means for the run's tasks."""
        if getattr(result, "nothing_to_do", False):
            raise AirflowSkipException(f"{self.table} is as this interval would make it; see the line above")


def summary_of(result: Any) -> dict[str, Any]:
    """Ids and counts of a step's result for XCom; rows, samples and long lists stay out of Airflow's database."""
    if result is None:
        return {}
    values = {f.name: getattr(result, f.name) for f in fields(result) if f.repr}
    return {name: value for name, value in values.items() if isinstance(value, int | float | str)} | {
        name: len(value) for name, value in values.items() if isinstance(value, tuple)
    }
