"""Stream drivers seen from the stack: they belong to Airflow, but must not outlive the services that they use."""

from deploy.local.condition import came_true
from deploy.local.leftovers import end, stream_drivers
from deploy.local.stack import Stack
from millrace.control.database import connect
from millrace.control.groups import GroupState, read_group, set_desired
from millrace.errors import MillraceError
from millrace.names import STREAM_GROUP

STOPPED_BY = "make down, was "
"""In `desired_by`: the stack wished the drain, and restores the wish that follows when it comes up again."""
DRAIN_SECONDS = 45.0
LAUNCH_SECONDS = 300.0
START_SECONDS = 900.0
"""A driver that was launched and holds its lease is only slow, e.g. on a machine that does other things too."""


def drain(stack: Stack) -> str:
    """Have the stream group finish its batches and end; end it by force only if it does not."""
    word = "was not running"
    with connect(stack.settings) as conn:
        group = read_group(conn, STREAM_GROUP)
        if group.desired != "drained":
            set_desired(conn, STREAM_GROUP, "drained", f"{STOPPED_BY}{group.desired}")
        if group.alive or stream_drivers(stack):
            word = "drained" if came_true(lambda: not stream_drivers(stack), DRAIN_SECONDS) else "did not drain"
    return word if not end(stream_drivers(stack)) else f"{word}, ended by signal"


def restore(stack: Stack) -> None:
    """Wish again for what was wished before `drain`; a wish of an operator stays."""
    with connect(stack.settings) as conn:
        group = read_group(conn, STREAM_GROUP)
        if group.desired_by and group.desired_by.startswith(STOPPED_BY):
            before = group.desired_by.removeprefix(STOPPED_BY)
            set_desired(conn, STREAM_GROUP, "paused" if before == "paused" else "running", "make up")


def await_driver(stack: Stack) -> str:
    """Wait until Airflow has started the group's driver, or say why nobody asked it to."""
    with connect(stack.settings) as conn:
        if (group := read_group(conn, STREAM_GROUP)).desired == "drained":
            return f"drained by {group.desired_by}; resume it with the DAG stream_control"
        launched = came_true(lambda: read_group(conn, STREAM_GROUP).alive, LAUNCH_SECONDS)
        if not (launched and came_true(lambda: _works(read_group(conn, STREAM_GROUP)), START_SECONDS)):
            group = read_group(conn, STREAM_GROUP)
            log = stack.logs / f"stream-{STREAM_GROUP}.log"
            raise MillraceError(
                f"stream group '{STREAM_GROUP}' did not start (state {group.state}, "
                f"{group.attempts} launches, last error: {group.last_error or 'none'})\n"
                f"its log is {log}; its supervision is the DAG stream_group_{STREAM_GROUP} in Airflow"
            )
        group = read_group(conn, STREAM_GROUP)
    return f"{group.state}, pid {group.pid}, epoch {group.epoch}"


def _works(group: GroupState) -> bool:
    return group.alive and group.state in ("running", "paused")
