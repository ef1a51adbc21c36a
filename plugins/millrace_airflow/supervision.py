"""How a stream group is supervised: from what the control plane says to the one thing to do next. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from millrace.control.groups import GroupState
from millrace.errors import MillraceError
from millrace.settings import Settings
from millrace_airflow.driver import Seen

SUPERVISOR = "supervision"
"""Who asked for a drain: a driver that supervision drained is replaced, one that a person drained is not."""
BACKOFF_FIRST = 5.0
PATIENCE = 3.0
"""How many times the stall limit a driver gets to drain."""


class StreamGroupDown(MillraceError):
    """A driver did not come up in as many attempts as the settings allow."""


class Action(StrEnum):
    """What supervision can do."""

    WATCH = "watch"
    LAUNCH = "launch"
    REPLACE = "replace"
    KILL = "kill"
    """End what is left of a driver, and give its lease back; then see what is to be done next."""


@dataclass(frozen=True)
class Decision:
    """What to do, and why in words for the task's log."""

    action: Action
    reason: str


def decide(
    group: GroupState, wanted: str | None, settings: Settings, seen: Seen, obstacle: str | None = None
) -> Decision:
    """What `group` needs now.

    `wanted` is the fingerprint of what it should run, None when that is not known; `seen` what this machine can tell
    of the driver's process; `obstacle` why a launch now would come to nothing.
    """
    if dead := _dead(group, seen):
        return Decision(Action.KILL, dead)
    if group.alive:
        stall = _stall(group, settings)
        return _decide_stalled(group, stall, seen) if stall else _decide_alive(group, wanted)
    if group.launching:
        return Decision(Action.WATCH, "launched, the driver has not reported yet")
    if group.desired != "running" and (group.desired, group.desired_by) != ("drained", SUPERVISOR):
        return Decision(Action.WATCH, f"stopped: {group.desired_by or 'somebody'} wishes it {group.desired}")
    return _decide_gone(group, wanted, obstacle)


def _dead(group: GroupState, seen: Seen) -> str | None:
    """How we know that a driver will never again write rightfully, though it has not given its lease back."""
    who = f"the driver of epoch {group.epoch} (pid {group.pid} on {group.host})"
    if group.holder is None:
        return None
    if seen is Seen.ENDED:
        return f"{who} is dead: its process has ended"
    if group.alive:
        return None
    return f"{who} {'hangs or was stopped' if seen is Seen.RUNS else 'is dead'}: its lease expired"


def _stall(group: GroupState, settings: Settings) -> str | None:
    """How the driver is stuck, if it is. It does not count its start and its queries' first batches as idle itself."""
    idle = group.progress_age or 0.0
    if group.state == "draining":
        return "did not drain: no batch ended" if idle > PATIENCE * settings.stall_after else None
    if idle <= settings.stall_after:
        return None
    stalls = {"running": "stalled: records wait, and no batch ended", "starting": "did not come up"}
    return stalls.get(group.state)


def _decide_stalled(group: GroupState, stall: str, seen: Seen) -> Decision:
    if seen is Seen.RUNS:
        return Decision(Action.KILL, f"{stall} for a while")
    if group.desired == "running":
        return Decision(Action.REPLACE, f"{stall} for a while; it runs on {group.host}, and is asked to drain")
    return Decision(Action.WATCH, f"{stall} for a while; it runs on {group.host}, where we cannot kill it")


def _decide_alive(group: GroupState, wanted: str | None) -> Decision:
    if group.desired == "running" and wanted is not None and group.fingerprint != wanted:
        return Decision(Action.REPLACE, "outdated: a source, model or job changed since the driver started")
    wish = "" if group.desired == "running" else f", wished {group.desired} by {group.desired_by}"
    return Decision(Action.WATCH, f"{group.state}, epoch {group.epoch}, pid {group.pid} on {group.host}{wish}")


def _decide_gone(group: GroupState, wanted: str | None, obstacle: str | None) -> Decision:
    if obstacle:
        return Decision(Action.WATCH, f"{why_gone(group)}; not launched while {obstacle}")
    if group.given_up is None:
        return Decision(Action.LAUNCH, why_gone(group))
    if wanted is not None and wanted != group.given_up:
        return Decision(Action.LAUNCH, "the project has changed since supervision gave up")
    return Decision(
        Action.WATCH,
        f"gave up after {group.attempts} attempts, {why_gone(group)}; mend that, then wish it running "
        "(a changed source, model or job is tried by itself)",
    )


def why_gone(group: GroupState) -> str:
    """Why no driver lives."""
    if group.last_error:
        return f"the driver failed: {group.last_error}"
    if group.desired == "drained":
        return "drained, to be replaced"
    if _never_reported(group):
        return "launched, and never reported"
    return f"the driver of epoch {group.epoch} ended" if group.epoch else "never started"


def failures(group: GroupState) -> int:
    """Launches that came to nothing; none after a driver that gave its lease back without an error."""
    ended_well = group.last_error is None and group.holder is None and not _never_reported(group)
    return 0 if ended_well else group.attempts


def _never_reported(group: GroupState) -> bool:
    if group.launched_at is None:
        return False
    return group.started_at is None or group.started_at < group.launched_at


def backoff(attempts: int, settings: Settings) -> float:
    """Seconds to wait before the next launch, after `attempts` that came to nothing."""
    if attempts <= 0:
        return 0.0
    return float(min(BACKOFF_FIRST * 2.0 ** (attempts - 1), settings.restart_backoff_max))
