"""Produced to queryable, for every event: the live table and bronze beside ClickHouse's Kafka engine, all on."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from bench.delta_commits import freshness
from bench.measure import Ages, cpu_by_part, spent
from bench.prober import Prober
from bench.rivals.kafka_engine import KafkaEngine, live_table
from bench.stack import BenchStack
from bench.topic import topic_end
from deploy.local.condition import came_true
from millrace import names
from millrace.clickhouse.client import connect
from millrace.control.database import connect as connect_postgres
from millrace.control.offsets import committed_offsets

Mode = Literal["millrace", "rival", "both"]
WARM_UP = 10.0
SETTLE_SECONDS = 60.0
FLUSH_MS = 500


@dataclass(frozen=True)
class Round:
    """What one round found: ages by where the events could be queried, and what the stack spent."""

    mode: Mode
    rate: float
    sent: int
    ages: dict[str, Ages]
    cpu: dict[str, float]
    """CPU microseconds per event, by part of the stack."""
    sender_cpu: float


def warm_up(stack: BenchStack, rate: float, seconds: float) -> None:
    """A driver that has just started compiles for its first minute: let it, before anything is measured."""
    if seconds:
        send(stack, stack.source.topic.name, rate=rate, seconds=seconds)
        _await_no_lag(stack)


def measure_round(stack: BenchStack, mode: Mode, rate: float, seconds: float) -> Round:
    """One round. `rival`: the stream group pauses, so that the Kafka engine has the machine that Millrace has."""
    with ExitStack() as doing:
        if mode == "rival":
            doing.enter_context(stack.streams("paused"))
        _await_no_lag(stack)
        tables = {"live": live_table(stack.source)} if mode != "rival" else {}
        if mode != "millrace":
            tables["kafka engine"] = doing.enter_context(_rival(stack).attached(from_end=True))
        return _sent_and_seen(stack, mode, tables, rate, seconds)


def _sent_and_seen(stack: BenchStack, mode: Mode, tables: dict[str, str], rate: float, seconds: float) -> Round:
    began = time.time()
    probers = {name: Prober(stack.settings, table) for name, table in tables.items()}
    with _probing(probers, began):
        before = cpu_by_part(stack.stack)
        told = send(stack, stack.source.topic.name, rate=rate, seconds=WARM_UP + seconds)
        after = cpu_by_part(stack.stack)
        _await_rows(stack, tables.values(), began, told["acked"])
    until = told["began"] + WARM_UP + seconds
    since = told["began"] + WARM_UP
    lost = {name: int(told["acked"]) - rows_since(stack, table, began) for name, table in tables.items()}
    found = {name: prober.result(since, until, lost[name]) for name, prober in probers.items()}
    if mode != "rival":
        wanted = _count(stack, tables["live"], since, until)
        found["bronze"] = _bronze(stack, since, until, wanted)
    return Round(mode, rate, int(told["sent"]), found, spent(before, after, int(told["sent"])), told["cpu"])


def send(stack: BenchStack, topic: str, **options: float) -> dict[str, float]:
    """Run the sender to its end; its report."""
    report = stack.scratch / f"sent-{uuid4().hex[:8]}.json"
    flags = [f"--{name}={value}" for name, value in options.items()]
    command = stack.python("bench.sender", "--bootstrap", stack.settings.kafka_bootstrap, "--topic", topic)
    sender = stack.run([*command, *flags, f"--report={report}"], stack.scratch / "sender.log")
    if sender.wait() != 0:
        raise RuntimeError(f"the sender failed; see {stack.scratch / 'sender.log'}")
    told: dict[str, float] = json.loads(report.read_text())
    report.unlink()
    return told


def _await_rows(stack: BenchStack, tables: Iterable[str], since: float, rows: float) -> None:
    came_true(lambda: all(rows_since(stack, table, since) >= rows for table in tables), SETTLE_SECONDS)


def rows_since(stack: BenchStack, table: str, since: float) -> int:
    return _count(stack, table, since, time.time() + 3600)


def _count(stack: BenchStack, table: str, since: float, until: float) -> int:
    sql = (
        f"SELECT count() FROM {table} WHERE event_time >= fromUnixTimestamp64Micro({int(since * 1e6)}, 'UTC') "
        f"AND event_time < fromUnixTimestamp64Micro({int(until * 1e6)}, 'UTC')"
    )
    return int(connect(stack.settings).query(sql).result_rows[0][0])


def _bronze(stack: BenchStack, since: float, until: float, wanted: int) -> Ages:
    _await_no_lag(stack)
    settings, name = stack.settings, stack.source.name
    table = Path(names.table_path(settings.lake, "bronze", name))
    return freshness(table, since, until, wanted)


def _rival(stack: BenchStack) -> KafkaEngine:
    group = f"bench-{uuid4().hex[:8]}"
    return KafkaEngine(stack.settings, stack.source, stack.source.topic.name, group, flush_ms=FLUSH_MS)


@contextmanager
def _probing(probers: dict[str, Prober], since: float) -> Iterator[None]:
    for prober in probers.values():
        prober.start(since)
    try:
        yield
    finally:
        for prober in probers.values():
            prober.stop()


def lag(stack: BenchStack) -> int:
    """Records that landing has still to read."""
    ends = topic_end(stack.settings.kafka_bootstrap, stack.source.topic.name)
    with connect_postgres(stack.settings) as conn:
        landed = committed_offsets(conn, stack.source.name)
    return sum(max(0, end - landed.get(partition, 0)) for partition, end in ends.items())


def _await_no_lag(stack: BenchStack) -> None:
    """Landing has read everything, unless it is paused."""
    came_true(lambda: lag(stack) == 0, SETTLE_SECONDS)
