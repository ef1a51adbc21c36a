"""Stream groups: desired state, and the lease with its epoch that fences one driver from another.

All times are PostgreSQL's, so that drivers on machines with different clocks agree.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from millrace.errors import FencedError

Desired = Literal["running", "paused", "drained"]
State = Literal["stopped", "starting", "running", "paused", "draining"]

LAUNCH_GRACE = 150.0
"""Seconds that a launched driver has to take the lease, before another launch is allowed."""


@dataclass(frozen=True)
class GroupState:
    """One row of `ops.stream_groups`; ages are seconds by PostgreSQL's clock, None when it never happened."""

    group: str
    desired: Desired
    desired_by: str | None
    epoch: int
    holder: str | None
    pid: int | None
    """Process group of the driver on `host`."""
    host: str | None
    state: State
    alive: bool
    """A driver holds an unexpired lease."""
    launching: bool
    """A driver was launched, and has not taken the lease yet."""
    lease_until: datetime | None
    launched_at: datetime | None
    started_at: datetime | None
    last_progress_at: datetime | None
    heartbeat_age: float | None
    progress_age: float | None
    """Seconds since a moment at which no query was behind; grows while a query has records and finishes no batch."""
    fingerprint: str | None
    attempts: int
    """Launches since a driver last ran well."""
    last_error: str | None
    proved: bool
    """The last driver came as far as a finished batch of each query: what ended it was not its start."""
    given_up: str | None
    """Set once supervision launches no more: the fingerprint of what kept failing."""

    def stalled(self, after: float) -> bool:
        return self.alive and self.state == "running" and self.progress_age is not None and self.progress_age > after


_LAUNCHING = f"""(launched_at IS NOT NULL AND launched_at > now() - interval '{LAUNCH_GRACE} seconds'
    AND (started_at IS NULL OR started_at < launched_at))"""
_COMPUTED = {
    "group": 'group_name AS "group"',
    "alive": "coalesce(lease_until > now(), false) AS alive",
    "launching": f"{_LAUNCHING} AS launching",
    "heartbeat_age": "extract(epoch FROM now() - heartbeat_at)::float AS heartbeat_age",
    "proved": "coalesce(proved_at > started_at, false) AS proved",
    "progress_age": "extract(epoch FROM now() - last_progress_at)::float AS progress_age",
}
SELECT_GROUP = "SELECT {} FROM ops.stream_groups".format(
    ", ".join(_COMPUTED.get(f.name, f.name) for f in fields(GroupState))
)
"""Gives the columns of GroupState; also for callers with another driver than psycopg."""


def read_group(conn: Connection, group: str) -> GroupState:
    """The group's state; a group that nobody has named yet starts out as wished running, and stopped."""
    conn.execute("INSERT INTO ops.stream_groups (group_name) VALUES (%s) ON CONFLICT DO NOTHING", (group,))
    with conn.cursor(row_factory=class_row(GroupState)) as cursor:
        row = cursor.execute(f"{SELECT_GROUP} WHERE group_name = %s".encode(), (group,)).fetchone()
    assert row is not None
    return row


def set_desired(conn: Connection, group: str, desired: Desired, by: str) -> GroupState:
    """Wish for a state; the driver reads it with its next heartbeat, supervision within seconds."""
    read_group(conn, group)
    conn.execute(
        "UPDATE ops.stream_groups SET desired = %s, desired_by = %s, desired_at = now() WHERE group_name = %s",
        (desired, by, group),
    )
    return read_group(conn, group)


def claim_launch(conn: Connection, group: str) -> bool:
    """Claim the right to launch a driver and count the attempt; False when one lives or was just launched."""
    read_group(conn, group)
    claimed = conn.execute(
        f"""UPDATE ops.stream_groups SET launched_at = now(), attempts = attempts + 1
            WHERE group_name = %s AND coalesce(lease_until <= now(), true) AND NOT {_LAUNCHING}""".encode(),
        (group,),
    )
    return claimed.rowcount == 1


def reset_attempts(conn: Connection, group: str) -> None:
    conn.execute(
        """UPDATE ops.stream_groups SET attempts = 0, launched_at = NULL, last_error = NULL, given_up = NULL
           WHERE group_name = %s""",
        (group,),
    )


def forgive(conn: Connection, group: str) -> None:
    """Count no earlier failure any more; a launch that is under way stays claimed, unlike after `reset_attempts`."""
    conn.execute(
        "UPDATE ops.stream_groups SET attempts = 0, last_error = NULL, given_up = NULL WHERE group_name = %s", (group,)
    )


def give_up(conn: Connection, group: str, fingerprint: str) -> None:
    """Launch no more drivers of what `fingerprint` says, until `reset_attempts` or until it is another."""
    conn.execute("UPDATE ops.stream_groups SET given_up = %s WHERE group_name = %s", (fingerprint, group))


def record_failure(conn: Connection, group: str, error: str) -> None:
    """Keep why a driver ended, for the task that supervises it; a new launch is allowed at once."""
    conn.execute(
        "UPDATE ops.stream_groups SET last_error = %s, launched_at = NULL WHERE group_name = %s",
        (error[-4000:], group),
    )


@dataclass(frozen=True)
class Lease:
    """The right of one driver to write a group's tables, until it expires or a higher epoch takes over."""

    group: str
    holder: str
    epoch: int


def acquire(conn: Connection, group: str, *, holder: str, pid: int, host: str, fingerprint: str, ttl: float) -> Lease:
    """Take the lease if nobody holds it; raises FencedError naming who does."""
    row = conn.execute(
        """UPDATE ops.stream_groups
           SET epoch = epoch + 1, holder = %(holder)s, pid = %(pid)s, host = %(host)s, fingerprint = %(fingerprint)s,
               state = 'starting', started_at = clock_timestamp(), heartbeat_at = now(), last_progress_at = now(),
               lease_until = now() + make_interval(secs => %(ttl)s)
           WHERE group_name = %(group)s AND coalesce(lease_until <= now(), true) RETURNING epoch""",
        {"group": group, "holder": holder, "pid": pid, "host": host, "fingerprint": fingerprint, "ttl": ttl},
    ).fetchone()
    if row:
        return Lease(group, holder, row[0])
    held = read_group(conn, group)
    raise FencedError(
        f"stream group '{group}' is held by pid {held.pid} on {held.host} (epoch {held.epoch}) until {held.lease_until}"
    )


def renew(
    conn: Connection,
    lease: Lease,
    *,
    ttl: float,
    state: State,
    idle: float,
    proved: bool,
    settled: bool,
    note: str | None,
) -> Desired:
    """Prolong the lease and give the desired state; raises FencedError once it has expired or was taken over.

    `idle`: seconds for which some query has had records and finished no batch. `proved`: each has finished one.
    `settled`: the driver has run well for a while, so that its earlier failures no longer count. `note`: what it waits
    for, if anything.
    """
    row = conn.execute(
        """UPDATE ops.stream_groups
           SET lease_until = now() + make_interval(secs => %(ttl)s), heartbeat_at = now(), state = %(state)s,
               last_progress_at = now() - make_interval(secs => %(idle)s),
               proved_at = CASE WHEN %(proved)s THEN now() ELSE proved_at END,
               attempts = CASE WHEN %(settled)s THEN 0 ELSE attempts END,
               last_error = CASE WHEN %(settled)s THEN %(note)s ELSE coalesce(%(note)s, last_error) END
           WHERE group_name = %(group)s AND holder = %(holder)s AND epoch = %(epoch)s AND lease_until > now()
           RETURNING desired""",
        {**vars(lease), "ttl": ttl, "state": state, "idle": idle, "proved": proved}
        | {"settled": settled, "note": note},
    ).fetchone()
    if row is None:
        raise FencedError(f"the lease of stream group '{lease.group}', epoch {lease.epoch}, is no longer ours")
    desired: Desired = row[0]
    return desired


def verify(conn: Connection, lease: Lease) -> None:
    """Raise FencedError unless the lease is ours and unexpired; asked before each commit."""
    row = conn.execute(
        "SELECT lease_until > now() FROM ops.stream_groups WHERE group_name = %s AND holder = %s AND epoch = %s",
        (lease.group, lease.holder, lease.epoch),
    ).fetchone()
    if not row or not row[0]:
        raise FencedError(f"the lease of stream group '{lease.group}', epoch {lease.epoch}, is no longer ours")


def release(conn: Connection, lease: Lease) -> None:
    """Give the lease back, so that the next driver need not wait until it expires."""
    conn.execute(
        """UPDATE ops.stream_groups SET lease_until = NULL, holder = NULL, state = 'stopped', last_error = NULL
           WHERE group_name = %s AND holder = %s AND epoch = %s""",
        (lease.group, lease.holder, lease.epoch),
    )
