"""Watches a stream group in the triggerer, at the cost of one row of PostgreSQL every few seconds."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from airflow.triggers.base import BaseTrigger, TriggerEvent

from millrace.check.healthy import streamable
from millrace.control.alerts import Kind
from millrace.control.database import connect
from millrace.control.groups import GroupState, read_group, record_failure
from millrace.errors import ConfigError, TransientError
from millrace.launch import fingerprint
from millrace.settings import Settings, settings
from millrace_airflow.driver import Seen, look, look_at
from millrace_airflow.obstacles import obstacle
from millrace_airflow.progress import query_progress, told as told_progress
from millrace_airflow.supervision import Action, Decision, decide

POLL_SECONDS = 1.0
FINGERPRINT_EVERY = 12
"""Polls between two looks at the project's files."""
RATES_EVERY = 600
"""Polls between two lines in the task's log that tell how fast the queries go."""
_ABOUT_DRIVERS: tuple[Kind, ...] = ("driver_down", "driver_stalled")


def wanted_fingerprint(chosen: Settings) -> str | None:
    """Fingerprint of what should run; None while a contract of it is broken or half written: what runs then goes on."""
    try:
        catalog, problems = streamable(chosen.project_dir)
        return None if problems else fingerprint(catalog)
    except (ConfigError, OSError):
        return None


def rates() -> str:
    """How fast the queries go, in one line."""
    try:
        return told_progress(query_progress(settings()))
    except TransientError as error:
        return f"no rates: {error}"


class StreamGroupTrigger(BaseTrigger):
    """Fires `{"action", "reason", "waited"}` once something must be done; a launch not before `not_before`.

    `launcher` is the process that was launched last, as (pid, host): when it ends before the driver has reported,
    nobody need wait for it any longer.
    """

    def __init__(
        self, group: str, not_before: str | None = None, launcher: tuple[int, str] | list[Any] | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.group, self.not_before = group, not_before
        self.launcher = launcher
        self._conn: psycopg.Connection | None = None
        self._wanted: str | None = None
        self._seen: str | None = None
        self._polls = 0
        self._was_well = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        path = f"{type(self).__module__}.{type(self).__name__}"
        return path, {"group": self.group, "not_before": self.not_before, "launcher": self.launcher}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        told = ""
        while True:
            group, decision = await asyncio.to_thread(self._look)
            if group is not None and group.alive and group.proved and not self._was_well:
                self._was_well = True
                await asyncio.to_thread(self._resolve_alerts)
            if decision.reason != told:
                self.log.info("%s: %s", self.group, decision.reason)
                told = decision.reason
            elif group is not None and group.alive and self._polls % RATES_EVERY == 0:
                self.log.info("%s: %s", self.group, await asyncio.to_thread(rates))
            if decision.action is not Action.WATCH and self._due(group, decision):
                waited = self.not_before is not None
                fired = {"action": decision.action.value, "reason": decision.reason, "waited": waited}
                yield TriggerEvent(fired)  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(POLL_SECONDS)

    async def cleanup(self) -> None:
        """Close our connection; the driver goes on."""
        if self._conn is not None:
            self._conn.close()

    def _due(self, group: GroupState | None, decision: Decision) -> bool:
        """Only launches wait; and no longer once a person has forgiven the earlier failures."""
        if self.not_before is None or decision.action is not Action.LAUNCH:
            return True
        return datetime.now(UTC) >= datetime.fromisoformat(self.not_before) or (
            group is not None and not group.attempts
        )

    def _look(self) -> tuple[GroupState | None, Decision]:
        chosen = settings()
        self._refresh_wanted(chosen)
        try:
            self._conn = self._conn or connect(chosen)
            group = self._read(self._conn, chosen)
        except (psycopg.OperationalError, TransientError) as error:
            self._conn = None
            return None, Decision(Action.WATCH, f"cannot look, the control plane does not answer: {error}")
        blocked = None if group.alive or group.launching else obstacle(chosen)
        return group, decide(group, self._wanted, chosen, look(group), blocked)

    def _read(self, conn: psycopg.Connection, chosen: Settings) -> GroupState:
        group = read_group(conn, self.group)
        submitted_elsewhere = chosen.stream_deploy_mode == "cluster"
        if not group.launching or self.launcher is None or submitted_elsewhere:
            return group
        if look_at(*self.launcher) is not Seen.ENDED:
            return group
        record_failure(conn, self.group, "the process ended before the driver reported; its log says why")
        return read_group(conn, self.group)

    def _resolve_alerts(self) -> None:
        from millrace.alerting import all_clear  # brings ClickHouse's client, which parsing DAGs should not load

        for kind in _ABOUT_DRIVERS:
            all_clear(settings(), kind, self.group)

    def _refresh_wanted(self, chosen: Settings) -> None:
        """Believe a fingerprint once two looks agree: folders are copied file by file."""
        if self._polls % FINGERPRINT_EVERY == 0:
            seen = wanted_fingerprint(chosen)
            self._wanted = seen if seen == self._seen else None
            self._seen = seen
        self._polls += 1
