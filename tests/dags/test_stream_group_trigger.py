"""The trigger of a stream group: when it fires, with a control plane of our own."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from control_plane import Plane
from stream_states import gone, group


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
    payload = fired(monkeypatch, [group(), group(), group(alive=False)])
    assert (payload["action"], payload["waited"]) == ("kill", False)


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


def test_what_runs_goes_on_while_a_contract_of_the_streams_is_broken(tmp_path):
    """A driver that starts meanwhile leaves out what is broken: it must not be replaced for that again and again."""
    from millrace.check.healthy import streamable
    from millrace.launch import fingerprint
    from millrace_airflow.triggers.stream_group import wanted_fingerprint

    shutil.copytree(Path(__file__).parent / "project", tmp_path, dirs_exist_ok=True)
    chosen = SimpleNamespace(project_dir=tmp_path)
    whole = wanted_fingerprint(chosen)
    assert whole == fingerprint(streamable(tmp_path)[0])
    (tmp_path / "models/demo/gold/broken.sql").write_text("SELECT 1")
    assert wanted_fingerprint(chosen) == whole, "gold is no stream"
    refunds = tmp_path / "sources/demo/refunds/source.yaml"
    refunds.write_text(re.sub("name: .*refunds", "name: orders", refunds.read_text(), count=1))
    assert wanted_fingerprint(chosen) is None, "a topic that another source has, in files that can all be read"


def test_a_launch_that_ended_at_once_is_noticed(monkeypatch):
    from millrace_airflow.driver import Seen
    from millrace_airflow.triggers import stream_group

    plane = Plane(monkeypatch, gone(launching=True))
    failures = []

    def record(_conn, _group, error):
        failures.append(error)
        plane.state = gone(attempts=1, last_error=error)

    monkeypatch.setattr(stream_group, "record_failure", record)
    monkeypatch.setattr(stream_group, "look_at", lambda *launcher: {(4711, "here"): Seen.ENDED}[launcher])
    trigger = stream_group.StreamGroupTrigger("streams", launcher=[4711, "here"])
    assert trigger._look()[1].action == "launch"
    assert len(failures) == 1


def test_a_launch_waits_for_its_time_unless_failures_were_forgiven(monkeypatch):
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    payload = fired(monkeypatch, [gone(attempts=2), gone(attempts=2), gone(attempts=0)], not_before=later)
    assert (payload["action"], payload["waited"]) == ("launch", True)


def test_the_trigger_survives_being_stored():
    from millrace_airflow.triggers.stream_group import StreamGroupTrigger

    path, kwargs = StreamGroupTrigger("streams", "2026-01-31T10:00:00+00:00", (4711, "here")).serialize()
    assert path == "millrace_airflow.triggers.stream_group.StreamGroupTrigger"
    assert StreamGroupTrigger(**kwargs).serialize() == (path, kwargs)
