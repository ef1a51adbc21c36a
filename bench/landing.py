"""Landing's throughput beside a bare Spark script and beside ClickHouse's Kafka engine: the same full topic for all."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import psutil

from bench.live import send
from bench.measure import cpu_by_part
from bench.rivals.kafka_engine import TABLE, KafkaEngine
from bench.stack import BenchStack
from bench.topic import topic_end
from deploy.local.condition import came_true
from millrace.clickhouse.client import connect
from millrace.driver_process import APPLICATION
from millrace.launch import submit_command
from millrace.settings import PREFIX, ROOT
from millrace.topics import TopicSpec, admin, ensure_topics

TOPIC = "bench-landing"
WARM_SHARE = 0.35
"""Of the events, that are read before the clock starts: JVMs compile meanwhile."""
JOB_SECONDS = 600.0


@dataclass(frozen=True)
class Run:
    """One contestant's pass over the topic, after its warm-up."""

    who: str
    events: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_micros(self) -> float:
        return self.cpu * 1e6 / self.events


def fill_topic(stack: BenchStack, events: int) -> None:
    """A topic of the source's shape with at least so many events."""
    spec = TopicSpec(TOPIC, stack.source.topic.partitions, 1, {"message.timestamp.type": "LogAppendTime"})
    ensure_topics(admin(stack.settings), [spec])
    missing = events - sum(topic_end(stack.settings.kafka_bootstrap, TOPIC).values())
    if missing > 0:
        send(stack, TOPIC, count=missing)


def run_millrace(stack: BenchStack) -> Run:
    """Landing with the product's settings; only where it writes is the measurement's own."""
    with _folder(stack) as folder:
        command = submit_command(stack.settings, "bench")
        command = [*command[: command.index(str(APPLICATION))], str(ROOT / "bench" / "landing_job.py")]
        own = {f"{PREFIX}LAKE": str(folder / "lake"), f"{PREFIX}CHECKPOINTS": str(folder / "checkpoints")}
        return _job(stack, "landing", [*command, TOPIC, str(folder / "batches")], folder / "batches", own)


def run_bare(stack: BenchStack) -> Run:
    """The bare script: the same cores, memory and batch size."""
    with _folder(stack) as folder:
        most = str(stack.settings.max_records_per_batch)
        arguments = [stack.settings.kafka_bootstrap, TOPIC, str(folder), most, str(folder / "batches")]
        return _job(stack, "bare script", bare_command(stack, arguments), folder / "batches", {})


def bare_command(stack: BenchStack, arguments: list[str]) -> list[str]:
    """Start the bare script as the product's driver is started, but with no settings beyond cores and memory."""
    plain = stack.settings.model_copy(update={"stream_conf": {}})
    command = submit_command(plain, "bench-bare")
    return [*command[: command.index(str(APPLICATION))], str(ROOT / "bench/rivals/bare_landing.py"), *arguments]


def run_kafka_engine(stack: BenchStack, consumers: int = 1) -> Run:
    """ClickHouse's Kafka engine, from the topic's beginning."""
    events = sum(topic_end(stack.settings.kafka_bootstrap, TOPIC).values())
    engine = KafkaEngine(stack.settings, stack.source, TOPIC, f"bench-{uuid4().hex[:8]}", consumers=consumers)
    with engine.attached(from_end=False):
        points = list(_growth(stack, events))
    return rate_of(f"kafka engine, {consumers} consumers" if consumers > 1 else "kafka engine", points)


def _growth(stack: BenchStack, events: int) -> Iterator[tuple[int, float, float]]:
    """How many rows there are, when, and the CPU seconds of ClickHouse by then; a point whenever rows came."""
    client, rows = connect(stack.settings), 0
    deadline = time.monotonic() + JOB_SECONDS
    while rows < events and time.monotonic() < deadline:
        now = int(client.query(f"SELECT count() FROM {TABLE}").result_rows[0][0])
        if now > rows:
            rows = now
            yield rows, time.time(), cpu_by_part(stack.stack)["clickhouse"]
        time.sleep(0.05)


def spark_environment(stack: BenchStack) -> dict[str, str]:
    """As the product gives it to its own driver."""
    return {"SPARK_LOCAL_IP": stack.settings.host, "PYSPARK_PYTHON": sys.executable}


def _job(stack: BenchStack, who: str, command: list[str], out: Path, own: Mapping[str, str]) -> Run:
    """Run a Spark job to its end and read what it wrote down."""
    log = stack.scratch / f"{who.replace(' ', '-')}.log"
    ran = stack.run(command, log, spark_environment(stack) | dict(own))
    if not came_true(lambda: ran.poll() is not None, JOB_SECONDS):
        _end(ran.pid)
    if ran.returncode != 0:
        raise RuntimeError(f"{who} ended with {ran.returncode}; see {log}")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return rate_of(who, [(line["read"], line["at"], line["cpu"]) for line in lines])


def rate_of(who: str, points: list[tuple[int, float, float]]) -> Run:
    """From the first point after the warm-up to the last."""
    total = points[-1][0]
    first = next((p for p in points[:-1] if p[0] >= WARM_SHARE * total), points[0])
    last = points[-1]
    return Run(who, last[0] - first[0], last[1] - first[1], last[2] - first[2])


@contextmanager
def _folder(stack: BenchStack) -> Iterator[Path]:
    """A folder for one run, gone afterwards."""
    folder = stack.scratch / uuid4().hex[:8]
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end(pid: int) -> None:
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        process.kill()


CONTESTANTS: tuple[Callable[[BenchStack], Run], ...] = (
    run_millrace,
    run_bare,
    run_kafka_engine,
    partial(run_kafka_engine, consumers=2),
)
