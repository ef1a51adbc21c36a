"""One run of a simulator: what it should do, the stream of events that follows, and the report at its end."""

import importlib
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from random import Random

from confluent_kafka import KafkaException, Producer

from millrace.contracts.source import Source
from millrace.errors import ConfigError, TransientError
from simulators import generic, pacing
from simulators.codec import Encode
from simulators.delivery import Delivery, producer
from simulators.event import Event, Simulator
from simulators.faults import duplicates, late, malformed, skewed

TALK_EVERY = 10.0


@dataclass(frozen=True)
class Plan:
    """What a run sends. The same plan and start give the same events, ids and bytes included."""

    rate: float
    seed: int
    start: float | None = None
    """Simulated time of the first event, in seconds since 1970; none means now."""
    speed_up: float = 1.0
    count: int | None = None
    steady: bool = False
    """Ignore the simulator's day curve."""
    late: float = 0.0
    skewed: float = 0.0
    duplicates: float = 0.0
    malformed: float = 0.0


@dataclass(frozen=True)
class Report:
    """What was sent and acknowledged; `sent` is the sum of the kinds, and of acked and failed."""

    source: str
    topic: str
    seed: int
    sent: int
    acked: int
    failed: int
    kinds: dict[str, int]
    failures: dict[str, int]
    seconds: float

    @property
    def line(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items()))
        rate = self.sent / self.seconds if self.seconds else 0.0
        return (
            f"{self.source} to {self.topic}: sent {self.sent:,} ({kinds or 'nothing'}), acknowledged {self.acked:,}, "
            f"failed {self.failed:,}; {rate:,.0f}/s over {self.seconds:.1f} s; seed {self.seed}"
        )

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def find(source: Source) -> Simulator:
    """The source's own simulator, a module named like it, or else the one that reads its Avro schema."""
    if importlib.util.find_spec(f"simulators.{source.name}") is None:
        return generic.SIMULATOR
    simulator = getattr(importlib.import_module(f"simulators.{source.name}"), "SIMULATOR", None)
    if not isinstance(simulator, Simulator):
        raise ConfigError(f"simulators/{source.name}.py: expected SIMULATOR = Simulator(generate)")
    return simulator


def events(source: Source, plan: Plan, encode: Encode, start: float, now: Callable[[], float]) -> Iterator[Event]:
    """The events of a plan, faults included. Each fault has its own dice, so that its share moves nothing else."""
    simulator = find(source)
    curve = (lambda _: 1.0) if plan.steady else simulator.day_curve
    live = plan.rate == 0 and plan.start is None
    instants = pacing.wall_clock(now) if live else pacing.instants(start, plan.rate, plan.speed_up, curve)

    def dice(name: str) -> Random:
        return Random(f"{plan.seed}:{source.name}:{name}")

    flow = simulator.generate(source, dice("events"), instants)
    if plan.late:
        flow = late(flow, source, dice("late"), plan.late)
    if plan.skewed:
        flow = skewed(flow, source, dice("skewed"), plan.skewed)
    if plan.malformed:
        flow = malformed(flow, source, dice("malformed"), plan.malformed, encode)
    if plan.duplicates:
        flow = duplicates(flow, dice("duplicates"), plan.duplicates)
    return islice(flow, plan.count)


def run(
    source: Source, plan: Plan, encode: Encode, kafka: Mapping[str, str],
    stopped: Callable[[], bool], say: Callable[[str], None],
    truth: Path | None = None,
) -> Report:  # fmt: skip
    """Send the plan's events until its count is reached or `stopped`, then wait for every acknowledgement."""
    client = connect(kafka, source.topic.name)
    start, began = time.time() if plan.start is None else plan.start, time.monotonic()
    flow = events(source, plan, encode, start, time.time)
    if plan.rate:
        flow = pacing.paced(flow, start, plan.speed_up)
    with Delivery(client, source, encode, truth) as delivery:
        delivery.send_all(_until(stopped, _talking(flow, delivery, say)))
    failures = dict(delivery.failures)
    return Report(
        source=source.name, topic=source.topic.name, seed=plan.seed, sent=delivery.sent, acked=delivery.acked,
        failed=sum(failures.values()), kinds=dict(delivery.kinds), failures=failures,
        seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip


def connect(kafka: Mapping[str, str], topic: str) -> Producer:
    """A producer, once the broker has answered and knows the topic."""
    client, bootstrap = producer(kafka), kafka["bootstrap.servers"]
    try:
        known = client.list_topics(topic, timeout=15).topics[topic]
    except KafkaException as error:
        raise TransientError(f"no answer from Kafka at {bootstrap}: {error}; is the stack up? `make status`") from error
    if known.error is not None:
        raise ConfigError(f"Kafka at {bootstrap} has no topic '{topic}'; `make up` creates the topics of all sources")
    return client


def _until(stopped: Callable[[], bool], flow: Iterator[Event]) -> Iterator[Event]:
    for event in flow:
        if stopped():
            return
        yield event


def _talking(flow: Iterator[Event], delivery: Delivery, say: Callable[[str], None]) -> Iterator[Event]:
    """Say how far it is, every ten seconds."""
    next_word = time.monotonic() + TALK_EVERY
    for place, event in enumerate(flow):
        if place % 64 == 0 and time.monotonic() > next_word:
            next_word += TALK_EVERY
            say(f"sent {delivery.sent:,}, acknowledged {delivery.acked:,}")
        yield event
