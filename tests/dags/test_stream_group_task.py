"""The task of a stream group: what it does about what it sees, with a control plane of our own."""

from datetime import UTC, datetime, timedelta

import pytest
from control_plane import Plane
from stream_states import gone, group


def deferral(call):
    """The deferral that ends `call`."""
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as raised:
        call()
    return raised.value


def operator():
    from millrace_airflow.operators.stream_group import StreamGroupOperator

    return StreamGroupOperator(task_id="supervise", group="streams")


def event(action, *, waited=False):
    return {"action": action, "reason": "seen", "waited": waited}


def test_a_living_driver_is_attached_to(monkeypatch):
    plane = Plane(monkeypatch, group())
    deferred = deferral(lambda: operator().execute({}))
    assert plane.launched == 0
    assert deferred.trigger.not_before is None


def test_an_absent_driver_is_launched(monkeypatch):
    plane = Plane(monkeypatch, gone(epoch=0))
    deferred = deferral(lambda: operator().execute({}))
    assert (plane.launched, deferred.trigger.launcher) == (1, (4711, "here"))


def test_a_failed_launch_waits_before_the_next(monkeypatch):
    plane = Plane(monkeypatch, gone(attempts=3, last_error="no such topic"))
    deferred = deferral(lambda: operator().resume({}, event("launch")))
    assert plane.launched == 0
    wait = datetime.fromisoformat(deferred.trigger.not_before) - datetime.now(UTC)
    assert timedelta(seconds=15) < wait < timedelta(seconds=21)
    deferral(lambda: operator().resume({}, event("launch", waited=True)))
    assert plane.launched == 1


def test_a_driver_that_ended_well_is_followed_at_once(monkeypatch):
    plane = Plane(monkeypatch, gone(attempts=8))
    deferral(lambda: operator().resume({}, event("launch")))
    assert (plane.launched, plane.state.attempts) == (1, 0)


def test_it_gives_up_with_the_reason(monkeypatch):
    from millrace_airflow.failures import next_step
    from millrace_airflow.supervision import StreamGroupDown

    plane = Plane(monkeypatch, gone(attempts=8, last_error="no such topic"))
    with pytest.raises(StreamGroupDown, match=r"(?s)8 attempts; .*no such topic.*the log's end") as raised:
        operator().resume({}, event("launch", waited=True))
    assert "stream_control" in next_step(raised.value)
    assert [(alert["kind"], alert["severity"]) for alert in plane.alerts] == [("driver_down", "critical")]
    deferral(lambda: operator().execute({}))
    assert plane.launched == 0


def test_a_changed_project_is_tried_after_it_gave_up(monkeypatch):
    plane = Plane(monkeypatch, gone(attempts=8, last_error="no such topic", given_up="then"))
    deferral(lambda: operator().resume({}, event("launch")))
    assert (plane.launched, plane.state.given_up, plane.state.attempts) == (1, None, 0)


def test_an_outdated_driver_is_drained_then_replaced(monkeypatch):
    plane = Plane(monkeypatch, group(fingerprint="then", attempts=8))
    deferral(lambda: operator().resume({}, event("replace")))
    assert (plane.state.desired, plane.state.desired_by, plane.launched) == ("drained", "supervision", 0)
    plane.state = gone(desired="drained", desired_by="supervision", attempts=plane.state.attempts)
    deferral(lambda: operator().resume({}, event("launch")))
    assert (plane.state.desired, plane.launched) == ("running", 1)


@pytest.mark.parametrize(
    ("state", "seen", "killed", "launched", "failed"),
    [
        (group(progress_age=41.0), "runs", 1, 1, True),
        (group(progress_age=41.0, attempts=1), "runs", 1, 0, True),
        (group(attempts=1), "ended", 0, 1, False),
        (group(attempts=1, proved=False), "ended", 0, 0, True),
        (group(attempts=1, alive=False), "runs", 1, 1, False),
        (group(attempts=1, alive=False), "elsewhere", 0, 1, False),
    ],
)
def test_what_is_left_of_a_driver_is_ended_and_the_next_follows_in_the_same_task(
    monkeypatch, state, seen, killed, launched, failed
):
    plane = Plane(monkeypatch, state)
    plane.seen = seen
    deferral(lambda: operator().resume({}, event("kill")))
    assert (plane.killed, plane.launched, plane.state.alive) == (killed, launched, False)
    assert (bool(plane.failures), len(plane.alerts)) == (failed, killed)


def test_a_launch_that_lost_the_race_attaches(monkeypatch):
    from millrace.errors import FencedError
    from millrace_airflow.operators import stream_group

    def lost(*_):
        raise FencedError("a launch is under way")

    Plane(monkeypatch, gone())
    monkeypatch.setattr(stream_group, "launch", lost)
    deferral(lambda: operator().execute({}))
