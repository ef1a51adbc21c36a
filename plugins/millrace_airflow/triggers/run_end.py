"""Waits in the triggerer while another run of the DAG is at work."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

POLL_SECONDS = 5.0


class RunEndTrigger(BaseTrigger):
    """Fires once the run is no longer running: it ended, was cleared and queued again, or deleted."""

    def __init__(self, dag_id: str, run_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dag_id, self.run_id = dag_id, run_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__name__}", {"dag_id": self.dag_id, "run_id": self.run_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        count = sync_to_async(RuntimeTaskInstance.get_dr_count)
        while await count(dag_id=self.dag_id, run_ids=[self.run_id], states=["running"]):
            await asyncio.sleep(POLL_SECONDS)
        yield TriggerEvent(self.run_id)  # type: ignore[no-untyped-call]
