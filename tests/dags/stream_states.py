"""States of a stream group for tests: one that runs well, one that is gone, each with changes."""

from datetime import UTC, datetime

from millrace.control.groups import GroupState
from millrace.settings import Settings

SETTINGS = Settings(stall_after=40.0, restart_attempts=8, restart_backoff_max=300.0)
NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


def group(**changes):
    alive = {
        "group": "streams", "desired": "running", "desired_by": None, "epoch": 3, "holder": "h", "pid": 4711,
        "host": "here", "state": "running", "alive": True, "launching": False, "lease_until": NOW,
        "launched_at": NOW, "started_at": NOW, "last_progress_at": NOW, "heartbeat_age": 1.0, "progress_age": 2.0,
        "fingerprint": "now", "attempts": 0, "last_error": None,
        "proved": True, "given_up": None,
    }  # fmt: skip
    return GroupState(**(alive | changes))


def gone(**changes):
    return group(**({"alive": False, "state": "stopped", "holder": None, "lease_until": None} | changes))
