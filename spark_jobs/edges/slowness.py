"""Reading slowly, once: what a driver ran out of memory with is taken a few records at a time by the next one."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from millrace.errors import TransientError

log = logging.getLogger(__name__)
_USUAL_RECORDS = 500
"""Kafka's own default: of usual records a fetch has more, and each further look costs two questions to the broker."""
_USUAL_ROWS = 10_000
_FEW_RECORDS = 4


@dataclass(frozen=True)
class Pace:
    """How a query reads Kafka: the records that a task holds at once, and its tasks."""

    records_at_once: int
    tasks: int


class _Stage(Enum):
    READING = "its first batch is read slowly"
    READ = "that batch has ended"
    OVER = "it reads as usual"


@dataclass
class Slowness:
    """Which queries of this process read slowly; `needed` when the driver before it ran out of memory.

    A fetch is bounded in bytes as they travel: records that compress well are a hundred times as large in memory.
    """

    needed: bool = False
    _stages: dict[str, _Stage] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def pace(self, query: str, parallelism: int) -> Pace:
        """For a query that starts: slow for its first batch, and for that one only."""
        if not self.needed or query in self._stages:
            return Pace(_USUAL_RECORDS, parallelism)
        log.warning("%s: the last driver ran out of memory; the first batch is read slowly", query)
        self._stages[query] = _Stage.READING
        return Pace(_FEW_RECORDS, 1)

    def rows_in_a_block(self, query: str) -> int:
        """Rows that go from Spark to this process as one block of Arrow."""
        return _FEW_RECORDS if self._stages.get(query) is _Stage.READING else _USUAL_ROWS

    @contextmanager
    def turn(self, query: str, waiting: Callable[[], None]) -> Iterator[None]:
        """A batch. Slow ones come one after the other: `waiting` is called before one that may have to."""
        if self._stages.get(query) is not _Stage.READING:
            yield
            return
        waiting()
        with self._one_at_a_time:
            yield
        self._stages[query] = _Stage.READ

    def leave(self, query: str) -> None:
        """Before each batch: once the slow one has ended, the query starts again; raises TransientError for that."""
        if self._stages.get(query) is _Stage.READ:
            self._stages[query] = _Stage.OVER
            raise TransientError(f"{query} has read its first batch slowly, and goes on as usual")


def after(mark: Path) -> bool:
    """Whether the last driver has left the mark; it is taken away, and left again should this one run out too."""
    there = mark.exists()
    mark.unlink(missing_ok=True)
    return there
