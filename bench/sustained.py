"""The rate that the whole platform sustains: producers to gold and ClickHouse, lag flat for minutes; and its memory."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.backfill import DOMAIN
from bench.live import lag
from bench.measure import cpu_by_part, memory_by_part, middle, spent
from bench.rivals.kafka_engine import live_table
from bench.stack import BenchStack
from bench.topic import topic_end
from deploy.local.airflow_api import AirflowApi
from deploy.local.condition import came_true
from millrace import names
from millrace.clickhouse.client import connect

EVERY = 5.0
SETTLED = 60.0
RUN_SECONDS = 1200.0


@dataclass(frozen=True)
class Sample:
    """One look at how far behind the two paths are, in records."""

    at: float
    landing: int
    live: int


@dataclass(frozen=True)
class Sustained:
    """A run at one rate; flat means that lag at the end is no more than two seconds of the rate above its start."""

    rate: float
    sent: int
    samples: tuple[Sample, ...]
    cpu: dict[str, float]
    memory: dict[str, int]
    medallion: str
    """How the hour's run from bronze to gold and ClickHouse ended, started under the load."""

    @property
    def flat(self) -> bool:
        settled = [s for s in self.samples if s.at >= SETTLED] or list(self.samples)
        third = max(1, len(settled) // 3)
        return all(
            middle(getattr(s, path) for s in settled[-third:])
            <= middle(getattr(s, path) for s in settled[:third]) + 2 * self.rate
            for path in ("landing", "live")
        )


def sustain(stack: BenchStack, rate: float, minutes: float) -> Sustained:
    """Send at the rate; after a minute, run the hourly DAG by hand over the current hour."""
    report = stack.scratch / "sustained.json"
    options = (f"--rate={rate}", f"--seconds={minutes * 60}", f"--report={report}")
    where = ("--bootstrap", stack.settings.kafka_bootstrap, "--topic", stack.source.topic.name)
    before, api = cpu_by_part(stack.stack), AirflowApi(stack.settings)
    sender = stack.run([*stack.python("bench.sender"), *where, *options], stack.scratch / "sender.log")
    samples, run = [], ""
    for sample in _samples(stack, lambda: sender.poll() is None):
        samples.append(sample)
        if not run and sample.at > SETTLED:
            run = api.trigger(names.medallion_dag(DOMAIN))
    told = json.loads(report.read_text())
    used = spent(before, cpu_by_part(stack.stack), told["sent"])
    return Sustained(rate, told["sent"], tuple(samples), used, memory(stack), _state(api, run))


def memory(stack: BenchStack) -> dict[str, int]:
    return dict(Counter(memory_by_part(stack.stack)).most_common())


def _samples(stack: BenchStack, going: Callable[[], bool]) -> Iterator[Sample]:
    client, began = connect(stack.settings), time.monotonic()
    floor = f"fromUnixTimestamp64Milli({int(datetime.now(UTC).timestamp() * 1000)}, 'UTC')"
    while going():
        rows = client.query(
            f"SELECT kafka_partition, max(kafka_offset) + 1 FROM {live_table(stack.source)} "
            f"WHERE event_time >= {floor} GROUP BY kafka_partition"
        ).result_rows
        ends = topic_end(stack.settings.kafka_bootstrap, stack.source.topic.name)
        seen: dict[int, int] = {row[0]: row[1] for row in rows}
        behind = sum(max(0, end - seen.get(p, end)) for p, end in ends.items())
        yield Sample(time.monotonic() - began, lag(stack), behind)
        time.sleep(EVERY)


def _state(api: AirflowApi, run: str) -> str:
    if not run:
        return "not started"
    path = f"dags/{names.medallion_dag(DOMAIN)}/dagRuns/{run}"
    came_true(lambda: api.call("GET", path)["state"] in ("success", "failed"), RUN_SECONDS)
    return str(api.call("GET", path)["state"])
