"""How a stream group is supervised: from what the control plane says to the one thing to do next. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from millrace.control.groups import GroupState
from millrace.errors import MillraceError
from millrace.settings import Settings

SUPERVISOR = "supervision"
"""Who asked for a drain: a driver that supervision drained is replaced, one that a person drained is not."""
BACKOFF_FIRST = 5.0
PATIENCE = 3.0
"""How many times the stall limit a driver gets to come up, and to drain."""


class StreamGroupDown(MillraceError):
    """A driver did not come up in as many attempts as the settings allow."""


class Action(StrEnum):
    """What supervision can do."""

    WATCH = "watch"
    LAUNCH = "launch"
    REPLACE = "replace"
    KILL = "kill"


@dataclass(frozen=True)
class Decision:
    """What to do, and why in words for the task's log."""

    action: Action
    reason: str


def decide(group: GroupState, wanted: str | None, settings: Settings, host: str) -> Decision:
    """What `group` needs now.

    `wanted` is the fingerprint of what it should run, None when that is not known; `host` is the machine that
    supervises, and can kill a driver that runs there.
    """
    if group.alive:
        stall = _stall(group, settings)
        return _decide_stalled(group, stall, host) if stall else _decide_alive(group, wanted)
    if group.launching:
        return Decision(Action.WATCH, "launched, the driver has not reported yet")
    if group.desired == "running" or (group.desired == "drained" and group.desired_by == SUPERVISOR):
        return Decision(Action.LAUNCH, why_gone(group))
    return Decision(Action.WATCH, f"stopped: {group.desired_by or 'somebody'} wishes it {group.desired}")


def _stall(group: GroupState, settings: Settings) -> str | None:
    """How the driver is stuck, if it is. A young or draining one gets longer: it compiles, catches up, or winds up."""
    idle, patient = group.progress_age or 0.0, PATIENCE * settings.stall_after
    if idle <= settings.stall_after or _driver_age(group) <= patient:
        return None
    if group.state == "draining":
        return "did not drain: no batch ended" if idle > patient else None
    return "stalled: records wait, and no batch ended" if group.state == "running" else None


def _driver_age(group: GroupState) -> float:
    """Seconds since the driver took its lease, by PostgreSQL's clock alone."""
    if group.started_at is None or group.last_progress_at is None or group.progress_age is None:
        return 0.0
    return (group.last_progress_at - group.started_at).total_seconds() + group.progress_age


def _decide_stalled(group: GroupState, stall: str, host: str) -> Decision:
    if group.host == host:
        return Decision(Action.KILL, f"{stall} for a while")
    if group.desired == "running":
        return Decision(Action.REPLACE, f"{stall} for a while; it runs on {group.host}, and is asked to drain")
    return Decision(Action.WATCH, f"{stall} for a while; it runs on {group.host}, where we cannot kill it")


def _decide_alive(group: GroupState, wanted: str | None) -> Decision:
    if group.desired == "running" and wanted is not None and group.fingerprint != wanted:
        return Decision(Action.REPLACE, "outdated: a source, model or job changed since the driver started")
    wish = "" if group.desired == "running" else f", wished {group.desired} by {group.desired_by}"
    return Decision(Action.WATCH, f"{group.state}, epoch {group.epoch}, pid {group.pid} on {group.host}{wish}")


def why_gone(group: GroupState) -> str:
    """Why no driver lives."""
    if group.last_error:
        return f"the driver failed: {group.last_error}"
    if group.desired == "drained":
        return "drained, to be replaced"
    if _never_reported(group):
        return "launched, and never reported"
    if group.epoch == 0:
        return "never started"
    if group.holder is None:
        return f"the driver of epoch {group.epoch} ended"
    return f"the driver of epoch {group.epoch} (pid {group.pid} on {group.host}) is dead: its lease expired"


def ended_well(group: GroupState) -> bool:
    """Whether the last driver gave its lease back without an error, so that the next may start at once."""
    return group.last_error is None and group.holder is None and not _never_reported(group)


def _never_reported(group: GroupState) -> bool:
    if group.launched_at is None:
        return False
    return group.started_at is None or group.started_at < group.launched_at


def backoff(attempts: int, settings: Settings) -> float:
    """Seconds to wait before the next launch, after `attempts` that came to nothing."""
    if attempts <= 0:
        return 0.0
    return float(min(BACKOFF_FIRST * 2.0 ** (attempts - 1), settings.restart_backoff_max))


def gives_up(attempts: int, launches: int, settings: Settings) -> bool:
    """Whether a task that made `launches` itself fails now; its successor tries on at the longest backoff."""
    return launches > 0 and attempts >= settings.restart_attempts
