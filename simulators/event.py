"""What a simulator yields: one event, and the kind it is reported as."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Literal, NamedTuple

from millrace.contracts.source import Source

Kind = Literal["ok", "late", "skewed", "duplicate", "malformed"]


class Event(NamedTuple):
    """One record to send. A tuple and not a dataclass, because 50,000 of them are made each second."""

    at: float
    """When it is due, in seconds of simulated time since 1970."""
    id: str
    fields: dict[str, Any]
    kind: Kind = "ok"
    raw: bytes | None = None
    """Bytes to send as they are, instead of the encoded fields."""


Generate = Callable[[Source, Random, Iterator[float]], Iterator[Event]]
"""Makes one event for each instant of the last argument; all randomness comes from the second."""


def flat_day(_hour: float) -> float:
    return 1.0


@dataclass(frozen=True)
class Simulator:
    """How one source behaves. A module named like its source offers one as `SIMULATOR`."""

    generate: Generate
    day_curve: Callable[[float], float] = flat_day
    """Share of the mean rate at an hour of the day (0 to 24, UTC); its mean over the day is 1."""


def instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def new_id(rng: Random) -> str:
    """A UUID of version 4 from the seeded generator, so that the same seed gives the same ids."""
    bits = rng.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
