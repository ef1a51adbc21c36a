"""What goes wrong in real life, as pure functions from an event iterator to an event iterator."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random

from millrace.contracts.avro import Column
from millrace.contracts.source import Source
from simulators.codec import Encode
from simulators.event import Event, Kind

DUPLICATE_GAP = 200
"""A duplicate follows its original within this many events."""


def late(events: Iterator[Event], source: Source, rng: Random, share: float) -> Iterator[Event]:
    """Date a share of the events back, past the source's lateness and by up to ten times it."""
    lateness = source.event.lateness.total_seconds()
    return _shift(events, source, rng, share, "late", -lateness * 1.1, -lateness * 10)


def skewed(events: Iterator[Event], source: Source, rng: Random, share: float) -> Iterator[Event]:
    """Date a share of the events ahead, as a wrong clock does: between ten minutes and six hours."""
    return _shift(events, source, rng, share, "skewed", 600, 6 * 3600)


def _shift(
    events: Iterator[Event], source: Source, rng: Random, share: float, kind: Kind, near: float, far: float
) -> Iterator[Event]:
    field = source.event.time
    for event in events:
        if event.kind != "ok" or rng.random() >= share:
            yield event
            continue
        moved: datetime = event.fields[field] + timedelta(seconds=rng.uniform(near, far))
        yield event._replace(fields=event.fields | {field: moved}, kind=kind)


def duplicates(events: Iterator[Event], rng: Random, share: float, gap: int = DUPLICATE_GAP) -> Iterator[Event]:
    """Send a share of the well-formed events again, up to `gap` events later. Copies come on top of the originals."""
    waiting: list[tuple[int, int, Event]] = []
    order = count()
    for place, event in enumerate(events):
        yield event
        if event.kind != "malformed" and rng.random() < share:
            heapq.heappush(waiting, (place + rng.randrange(gap), next(order), event))
        while waiting and waiting[0][0] <= place:
            yield heapq.heappop(waiting)[2]._replace(kind="duplicate", at=event.at)


def malformed(events: Iterator[Event], source: Source, rng: Random, share: float, encode: Encode) -> Iterator[Event]:
    """Break a share of the events, in turn by every way that no reader of the schema can accept."""
    ways = breakages(source, encode)
    for event in events:
        if event.kind == "ok" and rng.random() < share:
            yield event._replace(kind="malformed", raw=rng.choice(ways)(event))
        else:
            yield event


def breakages(source: Source, encode: Encode) -> list[Callable[[Event], bytes]]:
    """The ways in which a record of this source can be broken."""
    ways: list[Callable[[Event], bytes]] = [partial(_truncated, encode=encode), partial(_not_text, encode=encode)]
    if source.format != "json":
        return ways
    for column in source.record.fields:
        if not column.nullable:
            ways.append(partial(_without, name=column.name, encode=encode))
        if (wrong := _wrong_value(column)) is not None:
            ways.append(partial(_with, name=column.name, value=wrong, encode=encode))
    return ways


def _truncated(event: Event, encode: Encode) -> bytes:
    value = encode(event.fields)
    return value[: len(value) // 2]


def _not_text(event: Event, encode: Encode) -> bytes:
    return b"\xff\xfe" + encode(event.fields)


def _without(event: Event, name: str, encode: Encode) -> bytes:
    return encode({key: value for key, value in event.fields.items() if key != name})


def _with(event: Event, name: str, value: str, encode: Encode) -> bytes:
    return encode(event.fields | {name: value})


def _wrong_value(column: Column) -> str | None:
    """Text that cannot be read as the column's type; None where any text can."""
    if column.symbols:
        return "no-such-value"
    if column.spark_type in ("timestamp", "date"):
        return "yesterday"
    return "12abc" if column.spark_type in ("int", "bigint", "float", "double") else None
