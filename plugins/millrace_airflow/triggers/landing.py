"""Waits in the triggerer until landing's committed offsets have reached the end of an interval."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from millrace.check.healthy import healthy_catalog
from millrace.completeness import missing
from millrace.control.database import connect
from millrace.errors import TransientError
from millrace.settings import settings

POLL_SECONDS = 3.0
REPORT_EVERY = 20
"""Polls between two lines in the task's log while nothing changes."""


def waits_for(source: str, end: datetime) -> str | None:
    """What landing still has to do before `end`, in words; None when it is done. Services that are down count."""
    chosen = settings()
    try:
        with connect(chosen) as conn:
            behind = missing(chosen, conn, healthy_catalog(chosen.project_dir).source(source), end)
    except TransientError as error:
        return f"waiting, and cannot look now: {error}"
    return told(behind) if behind else None


def told(behind: dict[int, int]) -> str:
    """How far landing is behind, by Kafka partition."""
    parts = ", ".join(f"{partition}: {count}" for partition, count in sorted(behind.items()))
    return f"waiting, landing is {sum(behind.values())} records behind (by partition {parts})"


class LandingTrigger(BaseTrigger):
    """Ends its task with success once nothing is missing."""

    def __init__(self, source: str, end: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source, self.end = source, end

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__name__}", {"source": self.source, "end": self.end}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        polls, end = 0, datetime.fromisoformat(self.end)
        while (state := await asyncio.to_thread(waits_for, self.source, end)) is not None:
            if polls % REPORT_EVERY == 0:
                self.log.info("%s up to %s: %s", self.source, self.end, state)
            polls += 1
            await asyncio.sleep(POLL_SECONDS)
        self.log.info("%s is complete in bronze up to %s", self.source, self.end)
        yield TaskSuccessEvent()
