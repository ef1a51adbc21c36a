"""What supervision decides about a stream group, by what the control plane says of it."""

import re
from datetime import timedelta

import pytest
from stream_states import NOW, SETTINGS, gone, group

DEAD = {"alive": False, "holder": "h"}


@pytest.mark.parametrize(
    ("state", "seen", "action", "said"),
    [
        (group(), "runs", "watch", "running, epoch 3, pid 4711 on here"),
        (group(fingerprint="then"), "runs", "replace", "outdated"),
        (group(progress_age=41.0), "runs", "kill", "stalled: records wait"),
        (group(progress_age=39.0), "runs", "watch", "running, epoch 3"),
        (group(progress_age=41.0, state="starting"), "runs", "kill", "did not come up"),
        (group(progress_age=41.0), "elsewhere", "replace", "on here, and is asked to drain"),
        (group(progress_age=41.0, desired="drained", desired_by="ann"), "elsewhere", "watch", "cannot kill"),
        (group(state="draining", desired="drained", progress_age=121.0), "runs", "kill", "did not drain"),
        (group(state="draining", desired="drained", progress_age=119.0), "runs", "watch", "draining, epoch 3"),
        (group(state="paused", desired="paused", progress_age=3600.0), "runs", "watch", "paused, epoch 3"),
        (group(fingerprint="then", desired="drained", desired_by="ann"), "runs", "watch", "wished drained by ann"),
        (group(), "ended", "kill", "is dead: its process has ended"),
        (group(desired="paused", desired_by="ann"), "ended", "kill", "is dead"),
        (group(**DEAD), "runs", "kill", "hangs or was stopped: its lease expired"),
        (group(**DEAD), "elsewhere", "kill", "is dead: its lease expired"),
        (gone(), "runs", "launch", "epoch 3 ended"),
        (gone(epoch=0, launched_at=None, started_at=None), "elsewhere", "launch", "never started"),
        (gone(epoch=0, started_at=None, attempts=1), "elsewhere", "launch", "never reported"),
        (gone(launched_at=NOW + timedelta(1), attempts=1), "ended", "launch", "never reported"),
        (gone(last_error="Kafka is down"), "ended", "launch", "the driver failed: Kafka is down"),
        (gone(launching=True), "ended", "watch", "has not reported yet"),
        (gone(desired="drained", desired_by="ann"), "ended", "watch", "stopped: ann wishes it drained"),
        (gone(desired="paused", desired_by="ann"), "ended", "watch", "stopped: ann wishes it paused"),
        (gone(desired="drained", desired_by="supervision"), "ended", "launch", "to be replaced"),
        (gone(given_up="now", attempts=8, last_error="bad jar"), "ended", "watch", "gave up after 8 .* bad jar; mend"),
        (gone(given_up="then", attempts=8, last_error="bad jar"), "ended", "launch", "has changed since"),
    ],
)
def test_decision(state, seen, action, said):
    from millrace_airflow.driver import Seen
    from millrace_airflow.supervision import decide

    decision = decide(state, "now", SETTINGS, Seen(seen))
    assert decision.action == action
    assert re.search(said, decision.reason)


@pytest.mark.parametrize(("state", "action"), [(group(fingerprint="then"), "watch"), (gone(given_up="then"), "watch")])
def test_an_unknown_fingerprint_changes_nothing(state, action):
    from millrace_airflow.driver import Seen
    from millrace_airflow.supervision import decide

    assert decide(state, None, SETTINGS, Seen.RUNS).action == action


def test_nothing_is_launched_into_an_outage():
    from millrace_airflow.driver import Seen
    from millrace_airflow.supervision import Action, decide

    decision = decide(gone(last_error="no broker"), "now", SETTINGS, Seen.ENDED, "Kafka at k:9092 does not answer")
    assert decision.action is Action.WATCH
    assert "no broker; not launched while Kafka at k:9092 does not answer" in decision.reason


def test_backoff_grows_to_its_cap():
    from millrace_airflow.supervision import backoff

    assert [backoff(n, SETTINGS) for n in range(9)] == [0, 5, 10, 20, 40, 80, 160, 300, 300]


def test_only_launches_that_came_to_nothing_count_as_failures():
    from millrace_airflow.supervision import failures

    assert failures(gone(attempts=8)) == 0
    assert failures(gone(attempts=8, last_error="no such topic")) == 8
    assert failures(gone(attempts=8, launched_at=NOW + timedelta(1))) == 8
    assert failures(group(attempts=8, **DEAD)) == 8
