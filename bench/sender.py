"""A sender that costs little, so that what is measured is the platform: events made ahead, of which only id and time
differ. `python -m bench.sender --bootstrap HOST:PORT --topic user-events --rate 5000 --seconds 60`."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import typer
from confluent_kafka import KafkaError, Message, Producer

from bench.stack import SOURCE
from millrace.contracts.catalog import read_catalog
from millrace.settings import ROOT
from simulators.codec import encoder
from simulators.delivery import producer
from simulators.run import find

SEED = 7
VARIETY = 20_000
"""Different events, made before the clock runs."""
TICK = 0.005
EPOCH = 1_767_225_600.0


class Template(NamedTuple):
    """An event's bytes around its id and its time."""

    key: bytes
    head: bytes
    middle: bytes
    tail: bytes


def templates() -> list[Template]:
    """Events of the simulator, cut at the two places that change."""
    source = read_catalog(ROOT).source(SOURCE)
    encode, made = encoder(source), find(source).generate(source, Random(SEED), iter([EPOCH] * VARIETY))
    return [_cut(event.id, encode(event.fields), str(event.fields[source.topic.key or ""])) for event in made]


def _cut(event_id: str, value: bytes, key: str) -> Template:
    moment = datetime.fromtimestamp(EPOCH, UTC).isoformat(timespec="microseconds").encode()
    head, rest = value.split(event_id.encode())
    middle, tail = rest.split(moment)
    return Template(key.encode(), head, middle, tail)


class Sender:
    """Counts what was sent and acknowledged; each event carries the moment at which it was handed to the producer."""

    def __init__(self, client: Producer, topic: str) -> None:
        self._client, self._topic = client, topic
        self._events: Iterator[Template] = cycle(templates())
        self._run = f"{Random().getrandbits(32):08x}-0000-4000-8000"
        self.sent = self.acked = self.failed = 0
        self._second, self._text = 0, b""

    def send(self, count: int) -> None:
        for template in islice(self._events, count):
            value = self._value(template, time.time_ns() // 1000)
            while not self._queued(template.key, value):
                self._client.poll(0.05)
        self._client.poll(0)

    def flush(self) -> None:
        self._client.flush(60)

    def _queued(self, key: bytes, value: bytes) -> bool:
        try:
            self._client.produce(self._topic, value, key, on_delivery=self._done)
        except BufferError:
            return False
        self.sent += 1
        return True

    def _value(self, template: Template, micros: int) -> bytes:
        second, part = divmod(micros, 1_000_000)
        if second != self._second:
            self._second, self._text = second, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}".encode()
        moment = b"%s.%06d+00:00" % (self._text, part)
        return b"".join(
            (template.head, f"{self._run}-{self.sent:012x}".encode(), template.middle, moment, template.tail)
        )

    def _done(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acked += 1
        else:
            self.failed += 1


def main(
    bootstrap: Annotated[str, typer.Option()],
    topic: Annotated[str, typer.Option()],
    rate: Annotated[float, typer.Option(help="Events per second; 0: as fast as it goes.")] = 0,
    seconds: Annotated[float, typer.Option(help="How long, at a rate.")] = 60,
    count: Annotated[int, typer.Option(help="How many, without a rate.")] = 0,
    report: Annotated[Path | None, typer.Option(help="Write what was sent as JSON.")] = None,
) -> None:
    """Send, wait for every acknowledgement, and report."""
    sender = Sender(producer({"bootstrap.servers": bootstrap}), topic)
    began, cpu = time.time(), time.process_time()
    _at_rate(sender, rate, seconds) if rate else _at_once(sender, count)
    sender.flush()
    told = {
        "sent": sender.sent, "acked": sender.acked, "failed": sender.failed, "began": began,
        "seconds": time.time() - began, "cpu": time.process_time() - cpu,
    }  # fmt: skip
    (report or Path("/dev/stdout")).write_text(json.dumps(told) + "\n")
    sys.exit(0 if sender.acked == sender.sent else 1)


def _at_rate(sender: Sender, rate: float, seconds: float) -> None:
    """By schedule: what a pause has held up is sent after it."""
    began, wanted = time.monotonic(), int(rate * seconds)
    while sender.sent < wanted:
        due = min(wanted, int((time.monotonic() - began) * rate) + 1) - sender.sent
        if due > 0:
            sender.send(due)
        time.sleep(TICK)


def _at_once(sender: Sender, count: int) -> None:
    while sender.sent < count:
        sender.send(min(5_000, count - sender.sent))


if __name__ == "__main__":
    typer.run(main)
