"""What is tried until it works: attempts that come ever later, and what queries need from a service first."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from spark_jobs.edges.passing import cause, passes

log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 15.0
_DOUBLED = 20
"""Times at most: a float ends somewhere, an outage may not."""
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
        wait = min(_FIRST_WAIT * 2.0 ** min(self.failures, _DOUBLED), longest)
        self.failures += 1
        self.not_before = time.monotonic() + wait
        return wait


@dataclass
class Prerequisite:
    """What queries need from a service before they start.

    `prepare` is told the names of the queries that run, and gives the sources that the service refuses, each with its
    error: only their queries have to wait.
    """

    service: str
    prepare: Callable[[Collection[str]], Mapping[str, Exception]]
    ready: bool = False
    refused: Mapping[str, Exception] = field(default_factory=dict)
    attempt: Attempt = field(default_factory=Attempt)

    def look(self, running: Collection[str] = ()) -> str | None:
        """Prepare it if that is still to do; gives why it is not ready. Errors that do not pass are raised."""
        if self.ready or not self.attempt.due:
            return None
        try:
            self.refused = self.prepare(running)
        except Exception as error:
            if not passes(error):
                raise
            log.warning("%s is away, next attempt in %.0f s: %s", self.service, self.attempt.failed(), error)
            return f"{self.service}: {cause(error)}"
        self.ready, self.attempt = True, Attempt()
        return None

    def insist(self, source: str) -> None:
        """Raise the error for which the service refuses the source, if it does."""
        if error := self.refused.get(source):
            raise error
