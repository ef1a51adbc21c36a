"""A generator for any source without a simulator of its own: values that fit its Avro schema."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from millrace.contracts.source import Source
from simulators.event import Event, Simulator, instant, new_id

Make = Callable[[Random, float], Any]
"""A value, from the generator and the instant of the event."""

NULLS = 0.1
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "islet", "juniper")
_RANGES = {
    "rate": (0, 1), "ratio": (0, 1), "share": (0, 1), "percent": (0, 100), "rating": (1, 5), "score": (0, 100),
    "price": (1, 500), "amount": (1, 500), "total": (1, 500), "cost": (1, 500), "quantity": (1, 5), "count": (1, 20),
    "age": (18, 90), "lat": (-90, 90), "latitude": (-90, 90), "lon": (-180, 180), "longitude": (-180, 180),
}  # fmt: skip
"""Ranges that a field's name suggests; anything else numeric is between 1 and 1,000."""


def generate(source: Source, rng: Random, instants: Iterator[float]) -> Iterator[Event]:
    """One record for each instant; its id is new, its time is the instant."""
    schema = json.loads(source.record.text)
    makers = {field["name"]: maker(field["type"], field["name"]) for field in schema["fields"]}
    makers[source.event.time] = _time_of(schema, source.event.time)
    makers[source.event.id] = _id_of(source, rng)
    for at in instants:
        fields = {name: make(rng, at) for name, make in makers.items()}
        yield Event(at, str(fields[source.event.id]), fields)


def maker(kind: Any, name: str) -> Make:
    """The value maker of one Avro type. `name` hints at the range of numbers and the look of texts."""
    if isinstance(kind, list):
        return _optional(maker(next(k for k in kind if k != "null"), name), "null" in kind)
    if isinstance(kind, str):
        return _plain(kind, name)
    if "logicalType" in kind:
        return _logical(kind, name)
    return _complex(kind, name)


def _optional(make: Make, nullable: bool) -> Make:
    return (lambda rng, at: None if rng.random() < NULLS else make(rng, at)) if nullable else make


def _plain(kind: str, name: str) -> Make:
    low, high = _RANGES.get(name.rsplit("_", 1)[-1], (1, 1000))
    match kind:
        case "int" | "long":
            return lambda rng, _: rng.randint(low, high)
        case "float" | "double":
            return lambda rng, _: round(rng.uniform(low, high), 4)
        case "boolean":
            return lambda rng, _: rng.random() < 0.5
        case "bytes":
            return lambda rng, _: rng.randbytes(8)
        case "string":
            return _text(name)
    raise ValueError(f"field '{name}': no generator for Avro type '{kind}'")


def _text(name: str) -> Make:
    match name.rsplit("_", 1)[-1]:
        case "email":
            return lambda rng, _: f"{rng.choice(WORDS)}{rng.randrange(1000)}@example.com"
        case "url":
            return lambda rng, _: f"https://example.com/{rng.choice(WORDS)}"
        case "page" | "path":
            return lambda rng, _: f"/{rng.choice(WORDS)}"
        case "id":
            return lambda rng, _: f"{name}-{rng.randint(1, 1000)}"
    return lambda rng, _: rng.choice(WORDS)


def _logical(kind: dict[str, Any], name: str) -> Make:
    match kind["logicalType"]:
        case "timestamp-millis" | "timestamp-micros":
            return lambda rng, at: instant(at - rng.uniform(0, 3600))
        case "date":
            return lambda rng, at: (instant(at) - timedelta(days=rng.randrange(30))).date()
        case "uuid":
            return lambda rng, _: new_id(rng)
        case "decimal":
            scale = kind.get("scale", 0)
            most = min(10 ** kind["precision"] - 1, 500 * 10**scale)
            return lambda rng, _: Decimal(rng.randint(1, most)).scaleb(-scale)
    return _plain(kind["type"], name)


def _complex(kind: dict[str, Any], name: str) -> Make:
    match kind["type"]:
        case "enum":
            return lambda rng, _: rng.choice(kind["symbols"])
        case "array":
            item = maker(kind["items"], name)
            return lambda rng, at: [item(rng, at) for _ in range(rng.randint(0, 3))]
        case "map":
            value = maker(kind["values"], name)
            return lambda rng, at: {word: value(rng, at) for word in rng.sample(WORDS, rng.randint(0, 3))}
        case "record":
            inner = {field["name"]: maker(field["type"], field["name"]) for field in kind["fields"]}
            return lambda rng, at: {key: make(rng, at) for key, make in inner.items()}
    return maker(kind["type"], name)


def _time_of(schema: dict[str, Any], name: str) -> Make:
    """The event's own time: the instant, or its day where the field is a date."""
    text = json.dumps(next(field["type"] for field in schema["fields"] if field["name"] == name))
    return (lambda _, at: instant(at).date()) if '"date"' in text else (lambda _, at: instant(at))


def _id_of(source: Source, rng: Random) -> Make:
    """Ids that do not repeat: a UUID; where the field is a number, one after the other from a random start."""
    column = source.record.column(source.event.id)
    bits = {"int": 30, "bigint": 53}.get(column.spark_type if column else "")
    if not bits:
        return lambda rng, _: new_id(rng)
    numbers = count(rng.getrandbits(bits))
    return lambda _rng, _at: next(numbers)


SIMULATOR = Simulator(generate)
