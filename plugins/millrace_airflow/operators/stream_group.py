"""Supervises one stream group: acts on what the trigger saw, then defers again."""

import socket
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context
from psycopg import Connection

from millrace.control.database import connect
from millrace.control.groups import GroupState, Lease, read_group, record_failure, release, reset_attempts, set_desired
from millrace.errors import FencedError
from millrace.launch import launch
from millrace.settings import settings
from millrace_airflow.driver import kill_driver, log_tail
from millrace_airflow.supervision import (
    SUPERVISOR,
    Action,
    Decision,
    StreamGroupDown,
    backoff,
    decide,
    ended_well,
    gives_up,
)
from millrace_airflow.triggers.stream_group import StreamGroupTrigger, wanted_fingerprint


class StreamGroupOperator(BaseOperator):
    """Launches the driver where none lives, else attaches to the one that does; never ends it with itself.

    Airflow may kill, clear or restart this task at any time: the truth is in the control plane, and a launch is
    claimed there, so that two tasks cannot start two drivers.
    """

    ui_color = "#cfe8e4"

    def __init__(self, *, group: str, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.group = group

    def execute(self, context: Context) -> None:
        self._act(wanted=None, launches=0, waited=False)

    def resume(self, context: Context, event: dict[str, Any], launches: int) -> None:
        """Continue after the trigger fired; `launches` were made by this task so far."""
        self.log.info("%s: %s", event["action"], event["reason"])
        replaces = event["action"] == Action.REPLACE
        wanted = wanted_fingerprint(settings()) if replaces else None
        self._act(wanted=wanted, launches=launches, waited=event["waited"])

    def _act(self, *, wanted: str | None, launches: int, waited: bool) -> NoReturn:
        with connect(settings()) as conn:
            group = read_group(conn, self.group)
            decision = decide(group, wanted, settings(), socket.gethostname())
            self.log.info("%s is %s: %s", self.group, group.state, decision.reason)
            match decision.action:
                case Action.LAUNCH:
                    self._launch(conn, group, decision, launches, waited=waited)
                case Action.REPLACE:
                    self._drain(conn, decision)
                case Action.KILL:
                    self._kill(conn, group, decision)
        self._watch(launches)

    def _launch(
        self, conn: Connection, group: GroupState, decision: Decision, launches: int, *, waited: bool
    ) -> NoReturn:
        """Launch a driver, or wait first where earlier ones came to nothing."""
        failures = 0 if ended_well(group) else group.attempts
        if gives_up(failures, launches, settings()):
            self._give_up(group, decision)
        delay = 0.0 if waited else backoff(failures, settings())
        if delay:
            self.log.warning(log_tail(settings(), self.group))
            self.log.warning("attempt %d came to nothing; the next launch is in %.0f s", failures, delay)
            self._watch(launches, delay)
        if group.desired == "drained":
            set_desired(conn, self.group, "running", SUPERVISOR)
        self._watch(launches + 1, launcher=self._submit(group))

    def _submit(self, group: GroupState) -> tuple[int, str] | None:
        """Start spark-submit as (pid, host); None when another launch was first."""
        try:
            pid = launch(settings(), self.group)
        except FencedError as error:
            self.log.info("%s; attaching to it", error)
            return None
        self.log.info("launched process group %d, attempt %d", pid, group.attempts + 1)
        return pid, socket.gethostname()

    def _give_up(self, group: GroupState, decision: Decision) -> NoReturn:
        raise StreamGroupDown(
            f"stream group '{self.group}' did not come up in {group.attempts} attempts; {decision.reason}\n"
            f"{log_tail(settings(), self.group)}"
        )

    def _drain(self, conn: Connection, decision: Decision) -> None:
        reset_attempts(conn, self.group)
        set_desired(conn, self.group, "drained", SUPERVISOR)
        self.log.info("asked the driver to drain, a new one follows at once: %s", decision.reason)

    def _kill(self, conn: Connection, group: GroupState, decision: Decision) -> None:
        """Kill a driver of this machine; dead, it needs no lease, so the next one need not wait for it to expire."""
        assert group.pid is not None, "a driver that holds a lease has told its pid"
        kill_driver(group.pid)
        release(conn, Lease(group.group, group.holder or "", group.epoch))
        record_failure(conn, self.group, decision.reason)
        self.log.warning("killed process group %d; it restarts from its checkpoint", group.pid)

    def _watch(self, launches: int, delay: float = 0.0, launcher: tuple[int, str] | None = None) -> NoReturn:
        """Defer to the trigger, without a worker slot, until something must be done."""
        not_before = (datetime.now(UTC) + timedelta(seconds=delay)).isoformat() if delay else None
        trigger = StreamGroupTrigger(group=self.group, not_before=not_before, launcher=launcher)
        self.defer(trigger=trigger, method_name="resume", kwargs={"launches": launches})
