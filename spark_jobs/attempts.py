"""What is tried until it works: attempts that come ever later, and what queries need from a service first."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from spark_jobs.edges.passing import cause, passes

log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
SET_APART = 300.0
"""Longest wait of what fails for a lasting reason: each attempt of a query reads what it could not digest once more."""


@dataclass
class Attempt:
    """Something that is tried until it works: each time a service is away, the next attempt comes later."""

    failures: int = 0
    not_before: float = 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() >= self.not_before

    def failed(self, longest: float = _LONGEST_WAIT) -> float:
        """Count a failure; the seconds until the next attempt, `longest` at most."""
        wait = min(_FIRST_WAIT * 2.0**self.failures, longest)
        self.failures += 1
        self.not_before = time.monotonic() + wait
        return wait


@dataclass
class Prerequisite:
    """What queries need from a service before they start."""

    service: str
    prepare: Callable[[], None]
    ready: bool = False
    attempt: Attempt = field(default_factory=Attempt)

    def look(self) -> str | None:
        """Prepare it if that is still to do; gives why it is not ready. Errors that do not pass are raised."""
        if self.ready or not self.attempt.due:
            return None
        try:
            self.prepare()
        except Exception as error:
            if not passes(error):
                raise
            log.warning("%s is away, next attempt in %.0f s: %s", self.service, self.attempt.failed(), error)
            return f"{self.service}: {cause(error)}"
        self.ready, self.attempt = True, Attempt()
        return None
