"""Supervises one stream group: acts on what the trigger saw, then defers again."""

import socket
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.sdk import BaseOperator, Context
from psycopg import Connection

from millrace.control.alerts import raise_alert
from millrace.control.database import connect
from millrace.control.groups import (
    GroupState,
    Lease,
    forgive,
    give_up,
    read_group,
    record_failure,
    release,
    reset_attempts,
    set_desired,
)
from millrace.driver_process import kill_driver
from millrace.errors import FencedError
from millrace.launch import launch
from millrace.settings import settings
from millrace_airflow.driver import Seen, log_tail, look
from millrace_airflow.obstacles import obstacle
from millrace_airflow.supervision import SUPERVISOR, Action, Decision, StreamGroupDown, backoff, decide, failures
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
        self._act(wanted=None, waited=False)

    def resume(self, context: Context, event: dict[str, Any]) -> None:
        """Continue after the trigger fired."""
        self.log.info("%s: %s", event["action"], event["reason"])
        believed = event["action"] in (Action.LAUNCH, Action.REPLACE)
        self._act(wanted=wanted_fingerprint(settings()) if believed else None, waited=event["waited"])

    def _act(self, *, wanted: str | None, waited: bool) -> NoReturn:
        with connect(settings()) as conn:
            group, decision = self._look(conn, wanted)
            if decision.action is Action.KILL:
                self._bury(conn, group, decision)
                group, decision = self._look(conn, wanted)
            if decision.action is Action.LAUNCH:
                self._launch(conn, group, decision, waited=waited)
            elif decision.action is Action.REPLACE:
                self._drain(conn, decision)
        self._watch()

    def _look(self, conn: Connection, wanted: str | None) -> tuple[GroupState, Decision]:
        group = read_group(conn, self.group)
        blocked = None if group.alive else obstacle(settings())
        decision = decide(group, wanted, settings(), look(group), blocked)
        self.log.info("%s is %s: %s", self.group, group.state, decision.reason)
        return group, decision

    def _launch(self, conn: Connection, group: GroupState, decision: Decision, *, waited: bool) -> NoReturn:
        """Launch a driver, or wait first where earlier ones came to nothing, or give up."""
        failed = 0 if group.given_up is not None else failures(group)
        if failed >= settings().restart_attempts:
            self._give_up(conn, group, decision)
        if not waited and (delay := backoff(failed, settings())):
            self.log.warning(log_tail(settings(), self.group))
            self.log.warning("attempt %d came to nothing; the next launch is in %.0f s", failed, delay)
            self._watch(delay)
        if not failed:
            forgive(conn, self.group)
        if group.desired == "drained":
            set_desired(conn, self.group, "running", SUPERVISOR)
        self._watch(launcher=self._submit(failed + 1))

    def _submit(self, attempt: int) -> tuple[int, str] | None:
        """Start spark-submit as (pid, host); None when another launch was first."""
        try:
            pid = launch(settings(), self.group)
        except FencedError as error:
            self.log.info("%s; attaching to it", error)
            return None
        self.log.info("launched process group %d, attempt %d of %d", pid, attempt, settings().restart_attempts)
        return pid, socket.gethostname()

    def _give_up(self, conn: Connection, group: GroupState, decision: Decision) -> NoReturn:
        from millrace.alerting import show_alerts  # brings ClickHouse's client, which parsing DAGs should not load

        what = f"stream group '{self.group}' did not come up in {group.attempts} attempts; {decision.reason}"
        give_up(conn, self.group, wanted_fingerprint(settings()) or "")
        raise_alert(conn, kind="driver_down", subject=self.group, message=what, severity="critical")
        show_alerts(conn, settings())
        raise StreamGroupDown(f"{what}\n{log_tail(settings(), self.group)}")

    def _drain(self, conn: Connection, decision: Decision) -> None:
        reset_attempts(conn, self.group)
        set_desired(conn, self.group, "drained", SUPERVISOR)
        self.log.info("asked the driver to drain, a new one follows at once: %s", decision.reason)

    def _bury(self, conn: Connection, group: GroupState, decision: Decision) -> None:
        """Kill what is left of a driver and give its lease back, so that the next one need not wait until it expires.

        Who worked before it died or hung was ended from outside, and is followed at once; else it counts as a failure.
        """
        killed = kill_driver(group.pid) if group.pid is not None and look(group) is Seen.RUNS else 0
        release(conn, Lease(group.group, group.holder or "", group.epoch))
        if killed:
            self.log.warning("killed %d processes; it restarts from its checkpoint", killed)
            raise_alert(conn, kind="driver_stalled", subject=self.group, message=decision.reason, severity="warning")
        if (group.alive and killed) or not group.proved:
            record_failure(conn, self.group, decision.reason)

    def _watch(self, delay: float = 0.0, launcher: tuple[int, str] | None = None) -> NoReturn:
        """Defer to the trigger, without a worker slot, until something must be done."""
        not_before = (datetime.now(UTC) + timedelta(seconds=delay)).isoformat() if delay else None
        trigger = StreamGroupTrigger(group=self.group, not_before=not_before, launcher=launcher)
        self.defer(trigger=trigger, method_name="resume")
