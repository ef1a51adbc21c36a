"""Shop visitors: sessions that log in, look at pages, sometimes buy, and log out."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from millrace.contracts.source import Source
from simulators.event import Event, Simulator, instant, new_id

USERS = 20_000
SESSIONS_AT_ONCE = 500
NEW_SESSION = 0.1
"""Share of events that begin a session: about one over a session's mean number of events."""
LEAVES = 0.125
BUYS = 0.02
MOBILE = 0.6
PAGES = (
    "/", "/products", "/products/detail", "/search", "/cart", "/offers", "/account", "/help",
    *(f"/products/{number}" for number in range(1, 93)),
)  # fmt: skip
_POPULARITY = tuple(accumulate(1 / rank for rank in range(1, len(PAGES) + 1)))


@dataclass(slots=True)
class _Session:
    user_id: int
    channel: str


def day_curve(hour: float) -> float:
    """Quiet at eight in the morning, busy at eight in the evening."""
    return 1 + 0.6 * math.sin((hour - 14) * math.pi / 12)


def generate(_source: Source, rng: Random, instants: Iterator[float]) -> Iterator[Event]:
    """One visitor's next step for each instant."""
    sessions: list[_Session] = []
    for at in instants:
        session, action, page = _next_step(rng, sessions)
        event_id = new_id(rng)
        yield Event(
            at,
            event_id,
            {
                "event_id": event_id,
                "user_id": session.user_id,
                "event_type": action,
                "page": page,
                "timestamp": instant(at),
                "source": session.channel,
            },
        )


def _next_step(rng: Random, sessions: list[_Session]) -> tuple[_Session, str, str]:
    """Begin a session, or take one of those under way a step further: who, what, and on which page."""
    dice = rng.random()
    if not sessions or (dice < NEW_SESSION and len(sessions) < SESSIONS_AT_ONCE):
        sessions.append(_arrive(rng))
        return sessions[-1], "login", "/login"
    place = int(rng.random() * len(sessions))
    session, step = sessions[place], rng.random()
    if step < LEAVES:
        sessions[place] = sessions[-1]
        sessions.pop()
        return session, "logout", "/logout"
    if step < LEAVES + BUYS:
        return session, "purchase", "/checkout"
    return session, "click", PAGES[bisect_left(_POPULARITY, rng.random() * _POPULARITY[-1])]


def _arrive(rng: Random) -> _Session:
    """Some visitors come back far more often than others."""
    return _Session(1 + int(USERS * rng.random() ** 3), "mobile" if rng.random() < MOBILE else "web")


SIMULATOR = Simulator(generate, day_curve)
