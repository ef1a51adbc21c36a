"""The rival of bronze's freshness: the bare Spark script with default settings, at a rate, on the machine alone."""

import shutil
import time
from pathlib import Path
from uuid import uuid4

import psutil

from bench.delta_commits import end_offsets, freshness
from bench.landing import bare_command, spark_environment
from bench.live import WARM_UP, send
from bench.measure import Ages
from bench.stack import BenchStack
from bench.topic import topic_end
from deploy.local.condition import came_true
from deploy.local.leftovers import end
from millrace.topics import TopicSpec, admin, ensure_topics

START_SECONDS = 120.0
SETTLE_SECONDS = 90.0
JIT_SECONDS = 20.0
_APPENDED = {"message.timestamp.type": "LogAppendTime"}


def bare_freshness(stack: BenchStack, rate: float, seconds: float) -> Ages:
    """Ages of every event in the bare script's table; the stream group pauses meanwhile."""
    topic, folder = f"bench-bare-{uuid4().hex[:6]}", stack.scratch / uuid4().hex[:8]
    ensure_topics(admin(stack.settings), [TopicSpec(topic, stack.source.topic.partitions, 1, _APPENDED)])
    command = bare_command(stack, [stack.settings.kafka_bootstrap, topic, str(folder), "200000", ""])
    with stack.streams("paused"):
        script = stack.run(command, stack.scratch / "bare-script.log", spark_environment(stack))
        try:
            came_true((folder / "table" / "_delta_log").exists, START_SECONDS)
            send(stack, topic, rate=rate, seconds=JIT_SECONDS)
            began = time.time()
            told = send(stack, topic, rate=rate, seconds=WARM_UP + seconds)
            _await_all(stack, topic, folder, began)
            since = told["began"] + WARM_UP
            return freshness(folder / "table", since, since + seconds, int(rate * seconds))
        finally:
            end([*psutil.Process(script.pid).children(recursive=True), psutil.Process(script.pid)])
            script.wait()
            shutil.rmtree(folder, ignore_errors=True)
            admin(stack.settings).delete_topics([topic])


def _await_all(stack: BenchStack, topic: str, folder: Path, since: float) -> None:
    ends = topic_end(stack.settings.kafka_bootstrap, topic)
    came_true(lambda: read_by(folder / "checkpoint", ends), SETTLE_SECONDS)


def read_by(checkpoint: Path, ends: dict[int, int]) -> bool:
    """Whether the last batch that was committed reaches the topic's end."""
    done = [int(path.name) for path in (checkpoint / "commits").glob("[0-9]*")]
    return bool(done) and all(end_offsets(checkpoint, max(done)).get(p, 0) >= end for p, end in ends.items())
