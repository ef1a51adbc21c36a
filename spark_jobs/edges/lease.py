"""The driver's hold on its stream group: taken once, renewed by a heartbeat, verified before each commit."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_delay, wait_exponential

from millrace.control import groups
from millrace.control.database import connect
from millrace.control.groups import Desired, Lease, State
from millrace.errors import FencedError, TransientError
from millrace.settings import Settings
from spark_jobs.edges.health import Health
from spark_jobs.edges.predecessor import end_predecessor

log = logging.getLogger(__name__)
T = TypeVar("T")
FENCED_EXIT = 70
_TRANSIENT = (psycopg.OperationalError, TransientError)


class Fence:
    """Proves, before each commit, that this driver may still write; one connection per thread."""

    def __init__(self, settings: Settings, lease: Lease) -> None:
        self.lease = lease
        self._settings = settings
        self._threads = threading.local()
        self._expires = 0.0
        self.prolonged(time.monotonic())

    def prolonged(self, asked: float) -> None:
        """The lease was renewed by a request made at `asked`, of this process's monotonic clock."""
        self._expires = asked + self._settings.lease_ttl

    @property
    def expired(self) -> bool:
        """Whether the lease has run out by our own clock, which ticks on while the process is stopped."""
        return time.monotonic() > self._expires

    def check(self) -> None:
        """Raise FencedError if the lease has run out by our own clock: costs nothing, so ask before every write."""
        if self.expired:
            raise FencedError(
                f"the lease of stream group '{self.lease.group}', epoch {self.lease.epoch}, was not renewed for "
                f"{self._settings.lease_ttl:.0f} s: this process was stopped, or PostgreSQL was away"
            )

    def verify(self) -> None:
        """Raise FencedError unless the lease is ours; while PostgreSQL is away, wait until it would have expired."""
        self.check()
        patience = Retrying(
            retry=retry_if_exception_type(_TRANSIENT),
            wait=wait_exponential(0.2, max=2),
            stop=stop_after_delay(self._settings.lease_ttl),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
        try:
            patience(self.run, lambda conn: groups.verify(conn, self.lease))
        except _TRANSIENT as error:
            raise FencedError(f"could not verify the lease for {self._settings.lease_ttl:.0f} s: {error}") from error
        self.check()  # the answer may have been long on its way

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on this thread's connection; a broken one is dropped, for the next call to open anew."""
        conn: Connection | None = getattr(self._threads, "conn", None)
        if conn is None or conn.closed:
            conn = self._threads.conn = connect(self._settings)
        try:
            return work(conn)
        except psycopg.OperationalError:
            conn.close()
            raise


class Heartbeat(threading.Thread):
    """Renews the lease, tells how the driver does, and learns what is wished; ends the process once it is fenced."""

    def __init__(self, settings: Settings, fence: Fence, health: Health) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.desired: Desired = "running"
        self.state: State = "starting"
        self.jvm_alive: Callable[[], bool] = lambda: True
        self.fence, self.health = fence, health
        self._settings = settings
        self._stopped = threading.Event()
        self._settled_at = time.monotonic() + settings.stall_after

    def run(self) -> None:
        while not self._stopped.wait(self._settings.heartbeat_interval):
            self._beat()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=self._settings.lease_ttl)

    def _beat(self) -> None:
        began = time.monotonic()
        try:
            if not self.jvm_alive():
                die("the JVM of this driver is gone")
            self.desired = self.fence.run(self._renew)
            self.fence.prolonged(began)
        except FencedError as error:
            die(str(error))
        except _TRANSIENT as error:
            log.warning("heartbeat: PostgreSQL did not answer: %s", error)
            if self.fence.expired:
                die("PostgreSQL was away for longer than the lease lasts")

    def _renew(self, conn: Connection) -> Desired:
        idle = self.health.idle()
        return groups.renew(
            conn,
            self.fence.lease,
            ttl=self._settings.lease_ttl,
            state=self.state,
            idle=idle,
            proved=self.health.proved(),
            settled=self.state != "starting"
            and idle < self._settings.stall_after / 2
            and time.monotonic() > self._settled_at,
            note=self.health.note(),
        )


def take_lease(settings: Settings, conn: Connection, group: str, fingerprint: str) -> Lease:
    """Take the group's lease for this process; waits once for its length, since a lease may have to run out that a
    driver of another machine died with. What a dead or hung driver left on this machine is ended first."""
    patience = Retrying(
        retry=retry_if_exception_type(FencedError),
        wait=wait_exponential(1, max=3),
        stop=stop_after_delay(settings.lease_ttl),
        before_sleep=before_sleep_log(log, logging.INFO),
        reraise=True,
    )
    return patience(
        _succeed,
        conn,
        group,
        holder=str(uuid.uuid4()),
        pid=os.getpgrp(),
        host=socket.gethostname(),
        fingerprint=fingerprint,
        ttl=settings.lease_ttl,
    )


def _succeed(conn: Connection, group: str, **wanted: Any) -> Lease:
    end_predecessor(conn, group)
    return groups.acquire(conn, group, **wanted)


def die(reason: str) -> None:
    """End this process at once: whatever it would still write belongs to another driver now."""
    log.critical("fenced, stopping hard: %s", reason)
    logging.shutdown()
    os._exit(FENCED_EXIT)
