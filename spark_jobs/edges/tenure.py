"""The time for which this process drives a stream group: from taking its lease to giving it back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from millrace.control.database import apply_schema, connect
from millrace.control.groups import record_failure, release
from millrace.errors import FencedError
from millrace.settings import Settings
from spark_jobs.edges.health import Health
from spark_jobs.edges.lease import Fence, Heartbeat, die, take_lease

log = logging.getLogger(__name__)


@contextmanager
def tenure(settings: Settings, group: str, fingerprint: str) -> Iterator[Heartbeat]:
    """Hold the group's lease, with a heartbeat. An error is recorded for whoever supervises, and the lease given back,
    so that the next driver need not wait; a driver that was fenced ends at once instead."""
    with connect(settings) as conn:
        apply_schema(conn)
        fence = Fence(settings, take_lease(settings, conn, group, fingerprint))
    heartbeat = Heartbeat(settings, fence, Health())
    heartbeat.start()
    error: BaseException | None = None
    try:
        yield heartbeat
    except BaseException as raised:
        error = raised
        _die_if_fenced(fence)
        raise
    finally:
        heartbeat.stop()
        _give_back(settings, fence, error)


def _die_if_fenced(fence: Fence) -> None:
    try:
        fence.verify()
    except FencedError as error:
        die(str(error))


def _give_back(settings: Settings, fence: Fence, error: BaseException | None) -> None:
    with connect(settings) as conn:
        release(conn, fence.lease)
        if error is not None:
            record_failure(conn, fence.lease.group, f"{type(error).__name__}: {error}")
    log.info("gave the lease of epoch %d back", fence.lease.epoch)
