"""The task and the trigger of a stream group: what they do about what they see, with a control plane of our own."""

from datetime import UTC, datetime, timedelta

import pytest
from stream_states import SETTINGS, gone, group


class Plane:
    """A control plane of our own in place of PostgreSQL, patched in where operator and trigger reach for it."""

    def __init__(self, monkeypatch, state):
        from millrace_airflow.operators import stream_group as operator
        from millrace_airflow.triggers import stream_group as trigger

        self.state, self.launched, self.killed = state, 0, 0
        for module in (operator, trigger):
            monkeypatch.setattr(module, "connect", lambda _: self)
            monkeypatch.setattr(module, "read_group", lambda *_: self.state)
            monkeypatch.setattr(module, "settings", lambda: SETTINGS)
            monkeypatch.setattr(module, "wanted_fingerprint", lambda _: "now")
        monkeypatch.setattr(operator, "launch", self._launch)
        monkeypatch.setattr(operator, "kill_driver", self._kill)
        monkeypatch.setattr(operator, "release", self._release)
        monkeypatch.setattr(operator, "record_failure", lambda *_: None)
        monkeypatch.setattr("socket.gethostname", lambda: "here")
        monkeypatch.setattr(operator, "set_desired", self._wish)
        monkeypatch.setattr(operator, "reset_attempts", self._forgive)
        monkeypatch.setattr(operator, "log_tail", lambda *_: "the log's end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def _launch(self, *_):
        self.launched += 1
        return 4711

    def _kill(self, _pid):
        self.killed += 1

    def _release(self, _conn, lease):
        self.state = gone(epoch=lease.epoch)

    def _forgive(self, *_):
        self.state = group(**vars(self.state) | {"attempts": 0})

    def _wish(self, _conn, _group, desired, by):
        self.state = group(**vars(self.state) | {"desired": desired, "desired_by": by})


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
    assert deferred.kwargs == {"launches": 0}
    assert deferred.trigger.not_before is None


def test_an_absent_driver_is_launched(monkeypatch):
    plane = Plane(monkeypatch, gone(epoch=0))
    assert deferral(lambda: operator().execute({})).kwargs == {"launches": 1}
    assert plane.launched == 1


def test_a_failed_launch_waits_before_the_next(monkeypatch):
    plane = Plane(monkeypatch, gone(attempts=3, last_error="no such topic"))
    deferred = deferral(lambda: operator().resume({}, event("launch"), launches=1))
    assert plane.launched == 0
    wait = datetime.fromisoformat(deferred.trigger.not_before) - datetime.now(UTC)
    assert timedelta(seconds=15) < wait < timedelta(seconds=21)
    assert deferral(lambda: operator().resume({}, event("launch", waited=True), launches=1)).kwargs == {"launches": 2}
    assert plane.launched == 1


def test_a_driver_that_ended_well_is_followed_at_once(monkeypatch):
    plane = Plane(monkeypatch, gone(attempts=8))
    assert deferral(lambda: operator().resume({}, event("launch"), launches=1)).kwargs == {"launches": 2}
    assert plane.launched == 1


def test_it_gives_up_with_the_reason(monkeypatch):
    from millrace_airflow.failures import next_step
    from millrace_airflow.supervision import StreamGroupDown

    Plane(monkeypatch, gone(attempts=8, last_error="no such topic"))
    with pytest.raises(StreamGroupDown, match=r"(?s)8 attempts; .*no such topic.*the log's end") as raised:
        operator().resume({}, event("launch", waited=True), launches=1)
    assert "stream_control" in next_step(raised.value)


def test_an_outdated_driver_is_drained_then_replaced(monkeypatch):
    plane = Plane(monkeypatch, group(fingerprint="then", attempts=8))
    deferral(lambda: operator().resume({}, event("replace"), launches=1))
    assert (plane.state.desired, plane.state.desired_by, plane.launched) == ("drained", "supervision", 0)
    plane.state = gone(desired="drained", desired_by="supervision", attempts=plane.state.attempts)
    deferral(lambda: operator().resume({}, event("launch"), launches=1))
    assert (plane.state.desired, plane.launched) == ("running", 1)


def test_a_stalled_driver_is_killed(monkeypatch):
    plane = Plane(monkeypatch, group(progress_age=181.0))
    deferral(lambda: operator().resume({}, event("kill"), launches=0))
    assert (plane.killed, plane.launched, plane.state.alive) == (1, 0, False)


def test_a_launch_that_lost_the_race_attaches(monkeypatch):
    from millrace.errors import FencedError
    from millrace_airflow.operators import stream_group

    def lost(*_):
        raise FencedError("a launch is under way")

    Plane(monkeypatch, gone())
    monkeypatch.setattr(stream_group, "launch", lost)
    deferral(lambda: operator().execute({}))


def fired(monkeypatch, states, **kwargs):
    """The event of a trigger that sees `states` one after the other."""
    import asyncio

    from millrace_airflow.triggers import stream_group

    plane = Plane(monkeypatch, states[0])
    seen = iter(states)
    monkeypatch.setattr(stream_group, "read_group", lambda *_: next(seen))
    monkeypatch.setattr(stream_group, "POLL_SECONDS", 0.0)

    async def first():
        trigger = stream_group.StreamGroupTrigger(group="streams", **kwargs)
        event = await anext(trigger.run())
        await trigger.cleanup()
        return event.payload

    assert plane.launched == 0
    return asyncio.run(first())


def test_the_trigger_fires_when_the_driver_dies(monkeypatch):
    payload = fired(monkeypatch, [group(), group(), gone(holder="h")])
    assert (payload["action"], payload["waited"]) == ("launch", False)


def test_the_trigger_outlives_an_outage_of_the_control_plane(monkeypatch):
    import psycopg

    from millrace_airflow.triggers import stream_group

    Plane(monkeypatch, group())
    answers = iter([psycopg.OperationalError("gone"), gone()])

    def answer(*_):
        value = next(answers)
        if isinstance(value, Exception):
            raise value
        return value

    monkeypatch.setattr(stream_group, "read_group", answer)
    trigger = stream_group.StreamGroupTrigger(group="streams")
    assert trigger._look()[1].action == "watch"
    assert trigger._look()[1].action == "launch"


def test_the_trigger_believes_a_changed_project_once_it_holds_still(monkeypatch):
    payload = fired(monkeypatch, [group(fingerprint="then")] * 20)
    assert payload["action"] == "replace"


def test_a_launch_that_ended_at_once_is_noticed(monkeypatch):
    from millrace_airflow.triggers import stream_group

    plane = Plane(monkeypatch, gone(launching=True))
    failures = []

    def record(_conn, _group, error):
        failures.append(error)
        plane.state = gone(attempts=1, last_error=error)

    monkeypatch.setattr(stream_group, "record_failure", record)
    monkeypatch.setattr(stream_group, "has_ended", lambda pid, host: (pid, host) == (4711, "here"))
    trigger = stream_group.StreamGroupTrigger("streams", launcher=[4711, "here"])
    assert trigger._look()[1].action == "launch"
    assert len(failures) == 1


def test_an_ended_process_is_told_from_a_living_one():
    import os
    import socket
    import subprocess

    from millrace_airflow.driver import has_ended

    child = subprocess.Popen(["true"])
    assert not has_ended(os.getpid(), socket.gethostname())
    child.wait()
    assert has_ended(child.pid, socket.gethostname())
    assert not has_ended(child.pid, "another machine")


def test_a_launch_waits_for_its_time_unless_failures_were_forgiven(monkeypatch):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    payload = fired(monkeypatch, [gone(attempts=2), gone(attempts=2), gone(attempts=0)], not_before=later)
    assert (payload["action"], payload["waited"]) == ("launch", True)


def test_the_trigger_survives_being_stored():
    from millrace_airflow.triggers.stream_group import StreamGroupTrigger

    path, kwargs = StreamGroupTrigger("streams", "2026-01-31T10:00:00+00:00", (4711, "here")).serialize()
    assert path == "millrace_airflow.triggers.stream_group.StreamGroupTrigger"
    assert StreamGroupTrigger(**kwargs).serialize() == (path, kwargs)
