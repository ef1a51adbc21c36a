"""A supervisor whose queries and control plane are doubles: the seam is what it does when one of them fails."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from pyspark.errors import StreamingQueryException

from spark_jobs.attempts import Prerequisite
from spark_jobs.edges.health import Health
from spark_jobs.stream_app import QuerySpec
from spark_jobs.supervision import Supervisor


def raising(error: Exception) -> Callable[[object], dict[str, Exception]]:
    def prepare(_: object) -> dict[str, Exception]:
        raise error

    return prepare


class Query:
    """A query that has ended, or runs."""

    def __init__(self, error: Exception | None) -> None:
        self.isActive, self._error = error is None, error

    def exception(self) -> Exception | None:
        return self._error


def fail(query: Any, text: str) -> None:
    query.isActive, query._error = False, StreamingQueryException(text)


class Fence:
    """Keeps what is told to PostgreSQL, unless that is away."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.open: list[tuple[str, str]] = []
        self.lease = SimpleNamespace(group="ours")
        self.away: Exception | None = None
        self.asked = 0

    def run(self, work: Callable[[Any], object]) -> object:
        self.asked += 1
        if self.away:
            raise self.away
        return work(SimpleNamespace(execute=self._execute, cursor=self._cursor))

    def _cursor(self, **_: object) -> Any:
        found = [SimpleNamespace(subject=subject, run_id=group) for subject, group in self.open]
        return nullcontext(SimpleNamespace(execute=lambda *_: SimpleNamespace(fetchall=lambda: found)))

    def _execute(self, _: str, row: dict[str, Any]) -> Any:
        self.told.append(row)
        return SimpleNamespace(rowcount=1)


def supervisor_of(started: list[Query], name: str = "landing.x") -> Supervisor:
    app: Any = SimpleNamespace(
        heartbeat=SimpleNamespace(desired="running", state="starting"), health=Health(), stopping=threading.Event(),
        fence=Fence(),
    )  # fmt: skip
    waiting = iter(started)
    return Supervisor(
        app,
        [spec(name, lambda: next(waiting))],
        Prerequisite("Kafka", lambda _: {}),
        Prerequisite("ClickHouse", lambda _: {}),
    )


def spec(name: str, start: Callable[[], Query] = lambda: Query(None)) -> QuerySpec:
    return QuerySpec(name, name.partition(".")[2], start, needs_clickhouse=not name.startswith("landing."))  # type: ignore[arg-type]


def one_round(supervisor: Supervisor) -> None:
    supervisor._go_on()
    supervisor.alerts.tell()
