"""What supervision decides about a stream group, by what the control plane says of it."""

import re
from datetime import timedelta

import pytest
from stream_states import NOW, SETTINGS, gone, group


@pytest.mark.parametrize(
    ("state", "action", "said"),
    [
        (group(), "watch", "running, epoch 3, pid 4711 on here"),
        (group(fingerprint="then"), "replace", "outdated"),
        (group(progress_age=181.0), "kill", "stalled: records wait"),
        (group(progress_age=61.0, started_at=NOW - timedelta(seconds=120)), "kill", "stalled"),
        (group(progress_age=61.0), "watch", "running, epoch 3"),
        (group(progress_age=181.0, host="there"), "replace", "on there, and is asked to drain"),
        (group(progress_age=181.0, host="there", desired="drained", desired_by="supervision"), "watch", "cannot kill"),
        (group(state="draining", desired="drained", progress_age=181.0), "kill", "did not drain"),
        (group(state="draining", desired="drained", progress_age=179.0), "watch", "draining, epoch 3"),
        (group(state="paused", desired="paused", progress_age=3600.0), "watch", "paused, epoch 3"),
        (group(fingerprint="then", desired="drained", desired_by="ann"), "watch", "wished drained by ann"),
        (gone(epoch=0, launched_at=None, started_at=None), "launch", "never started"),
        (gone(epoch=0, started_at=None, attempts=1), "launch", "never reported"),
        (gone(launched_at=NOW + timedelta(1), attempts=1), "launch", "never reported"),
        (gone(), "launch", "epoch 3 ended"),
        (gone(holder="h"), "launch", "is dead: its lease expired"),
        (gone(last_error="Kafka is down"), "launch", "the driver failed: Kafka is down"),
        (gone(launching=True), "watch", "has not reported yet"),
        (gone(desired="drained", desired_by="ann"), "watch", "stopped: ann wishes it drained"),
        (gone(desired="paused", desired_by="ann"), "watch", "stopped: ann wishes it paused"),
        (gone(desired="drained", desired_by="supervision"), "launch", "to be replaced"),
    ],
)
def test_decision(state, action, said):
    from millrace_airflow.supervision import decide

    decision = decide(state, "now", SETTINGS, "here")
    assert decision.action == action
    assert re.search(said, decision.reason)


def test_an_unknown_fingerprint_replaces_nothing():
    from millrace_airflow.supervision import Action, decide

    assert decide(group(fingerprint="then"), None, SETTINGS, "here").action is Action.WATCH


def test_backoff_grows_to_its_cap():
    from millrace_airflow.supervision import backoff

    assert [backoff(n, SETTINGS) for n in range(9)] == [0, 5, 10, 20, 40, 80, 160, 300, 300]


def test_gives_up_only_after_a_launch_of_its_own():
    from millrace_airflow.supervision import gives_up

    assert not gives_up(8, 0, SETTINGS)
    assert not gives_up(7, 3, SETTINGS)
    assert gives_up(8, 1, SETTINGS)
