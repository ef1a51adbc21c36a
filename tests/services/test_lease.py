"""The lease of a stream group, on PostgreSQL: one driver at a time, and an old one learns that it is fenced."""

import uuid

import pytest
from psycopg import Connection

from millrace.control.groups import (
    Lease,
    acquire,
    claim_launch,
    read_group,
    record_failure,
    release,
    renew,
    set_desired,
    verify,
)
from millrace.control.offsets import commit_offsets, committed_offsets, set_back_offsets
from millrace.errors import FencedError
from tests.services.platform import await_that

SHORT = 0.3


@pytest.fixture
def group(conn: Connection) -> str:
    name = f"test-{uuid.uuid4()}"
    read_group(conn, name)
    return name


def take(conn: Connection, group: str, holder: str, ttl: float = 60) -> Lease:
    return acquire(conn, group, holder=holder, pid=1, host="here", fingerprint="f", ttl=ttl)


def test_a_second_driver_is_refused_and_told_who_holds_it(conn: Connection, group: str) -> None:
    take(conn, group, "a")
    with pytest.raises(FencedError, match="held by pid 1 on here"):
        take(conn, group, "b")


def test_who_was_slow_is_fenced_for_good(conn: Connection, group: str) -> None:
    old = take(conn, group, "a", ttl=SHORT)
    verify(conn, old)
    await_that(lambda: not read_group(conn, group).alive, "the lease to run out")
    with pytest.raises(FencedError):
        verify(conn, old)
    new = take(conn, group, "b")
    assert new.epoch == old.epoch + 1
    with pytest.raises(FencedError):
        renew(conn, old, ttl=60, state="running", idle=0, proved=False, settled=False, note=None)
    release(conn, old)
    verify(conn, new)


def test_a_released_lease_is_free_at_once(conn: Connection, group: str) -> None:
    release(conn, take(conn, group, "a"))
    assert not read_group(conn, group).alive
    assert take(conn, group, "b").epoch == 2


def test_a_heartbeat_brings_the_wish_and_the_state(conn: Connection, group: str) -> None:
    lease = take(conn, group, "a")
    set_desired(conn, group, "paused", "someone")
    assert renew(conn, lease, ttl=60, state="running", idle=90, proved=False, settled=False, note="waits") == "paused"
    state = read_group(conn, group)
    assert (state.state, state.desired_by, state.last_error) == ("running", "someone", "waits")
    assert state.stalled(after=60)
    renew(conn, lease, ttl=60, state="running", idle=0, proved=False, settled=False, note=None)
    assert not read_group(conn, group).stalled(after=60)


def test_two_supervisors_launch_one_driver(conn: Connection, group: str) -> None:
    assert claim_launch(conn, group)
    assert not claim_launch(conn, group)
    assert read_group(conn, group).launching
    lease = take(conn, group, "a")
    assert not claim_launch(conn, group)
    release(conn, lease)
    assert claim_launch(conn, group)


def test_attempts_count_until_a_driver_has_settled(conn: Connection, group: str) -> None:
    for _ in range(3):
        assert claim_launch(conn, group)
        record_failure(conn, group, "broken")
    assert (read_group(conn, group).attempts, read_group(conn, group).last_error) == (3, "broken")
    renew(conn, take(conn, group, "a"), ttl=60, state="running", idle=0, proved=False, settled=True, note=None)
    assert (read_group(conn, group).attempts, read_group(conn, group).last_error) == (0, None)


def test_offsets_are_kept_per_partition(conn: Connection) -> None:
    source = f"test_{uuid.uuid4().hex}"
    assert committed_offsets(conn, source) == {}
    commit_offsets(conn, source, {0: 5, 1: 7})
    commit_offsets(conn, source, {0: 9})
    assert committed_offsets(conn, source) == {0: 9, 1: 7}


def test_offsets_that_are_set_back_forget_the_other_partitions(conn: Connection) -> None:
    source, other = (f"test_{uuid.uuid4().hex}" for _ in range(2))
    commit_offsets(conn, source, {0: 5, 1: 7})
    commit_offsets(conn, other, {1: 3})
    set_back_offsets(conn, source, {0: 2})
    assert committed_offsets(conn, source) == {0: 2}
    assert committed_offsets(conn, other) == {1: 3}
