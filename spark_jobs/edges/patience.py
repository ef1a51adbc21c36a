"""Waiting out a service that is down: exponential backoff, for as long as the application runs."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_when_event_set, wait_random_exponential
from tenacity.nap import sleep_using_event

from spark_jobs.edges.health import Health
from spark_jobs.edges.passing import cause, passes

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Retries what failed for a passing reason; gives up only when the application is told to stop."""

    health: Health
    stopping: threading.Event
    allowed: Callable[[], None] = lambda: None
    """Raises before an attempt that must not be made any more: hours may lie between the first and the last."""

    def call(self, query: str, what: str, work: Callable[[], T]) -> T:
        """Run `work` until it succeeds; an error that does not pass, or a stop, raises it."""

        def note(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.health.waiting(query, f"{what}: {cause(error)}" if error else what)
            log.warning("%s: %s failed, attempt %d: %s", query, what, state.attempt_number, error)

        def attempt() -> T:
            self.allowed()
            return work()

        retrying = Retrying(
            retry=retry_if_exception(passes),
            wait=wait_random_exponential(0.2, max=10),
            stop=stop_when_event_set(self.stopping),
            sleep=sleep_using_event(self.stopping),
            before_sleep=note,
            reraise=True,
        )
        return retrying(attempt)
