"""Leaves the gold models out of a run that it has nothing to do for."""

from typing import Any

from airflow.sdk.exceptions import DownstreamTasksSkipped

from millrace_airflow.operators.batch_step import BatchStepOperator


class SettledModelsOperator(BatchStepOperator):
    """Skips every task of a settled model's group, before any of them starts."""

    ui_color = "#eeeeee"

    def conclude(self, result: Any) -> None:
        groups = tuple(f"{model_group(model)}." for model in result.models)
        tasks = sorted(t for t in self.get_flat_relative_ids(upstream=False) if t.startswith(groups))
        if tasks:
            raise DownstreamTasksSkipped(tasks=tasks)  # type: ignore[no-untyped-call]


def model_group(model: str) -> str:
    """The task group of a gold model."""
    return f"gold_{model}"
