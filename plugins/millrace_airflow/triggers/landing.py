"""Waits in the triggerer until landing's committed offsets have reached the end of an interval."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from millrace.completeness import missing
from millrace.control.database import connect
from millrace.errors import TransientError
from millrace.settings import settings
from millrace_airflow.healthy_catalog import healthy_catalog

POLL_SECONDS = 3.0
REPORT_EVERY = 20
"""Polls between two lines in the task's log while nothing changes."""


def records_behind(source: str, end: datetime) -> dict[int, int]:
    """Per Kafka partition, how many records landing still has to read before `end`; empty when complete."""
    chosen = settings()
    with connect(chosen) as conn:
        return missing(chosen, conn, healthy_catalog(chosen.project_dir).source(source), end)


def told(behind: dict[int, int]) -> str:
    """One line for people."""
    if not behind:
        return "complete in bronze"
    parts = ", ".join(f"{partition}: {count}" for partition, count in sorted(behind.items()))
    return f"waiting, landing is {sum(behind.values())} records behind (by partition {parts})"


class LandingTrigger(BaseTrigger):
    """Ends its task with success once nothing is missing. A service that is down is waited for as well."""

    def __init__(self, source: str, end: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source, self.end = source, end

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__name__}", {"source": self.source, "end": self.end}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        polls = 0
        while (state := await asyncio.to_thread(self._look)) is not None:
            if polls % REPORT_EVERY == 0:
                self.log.info("%s up to %s: %s", self.source, self.end, state)
            polls += 1
            await asyncio.sleep(POLL_SECONDS)
        self.log.info("%s is complete in bronze up to %s", self.source, self.end)
        yield TaskSuccessEvent()

    def _look(self) -> str | None:
        """What is still waited for; None when nothing is."""
        try:
            behind = records_behind(self.source, datetime.fromisoformat(self.end))
        except TransientError as error:
            return f"waiting, and cannot look now: {error}"
        return told(behind) if behind else None
