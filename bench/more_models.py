"""Ten more real-time models over the same live table: the tables and views that ten more files would make."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.stack import SOURCE, BenchStack
from millrace import names
from millrace.clickhouse.client import connect
from millrace.clickhouse.realtime import create_realtime, tables_of
from millrace.contracts.model import RealtimeModel

COUNTS = ("login", "click", "purchase", "logout")
KEYS = ("page", "source", "event_type")


def models(stack: BenchStack) -> list[RealtimeModel]:
    """Counts and distinct visitors by minute, each by another key."""
    likeness = stack.catalog.realtime[0]
    return [likeness.model_copy(update=one | {"path": Path("bench")}) for one in _differences()]


@contextmanager
def added(stack: BenchStack) -> Iterator[None]:
    """The models are there while the block runs; the streams pause for their making, as they do for a new file."""
    client = connect(stack.settings, names.LIVE)
    with stack.streams("paused"):
        for model in models(stack):
            create_realtime(client, model)
    try:
        yield
    finally:
        with stack.streams("paused"):
            for model in models(stack):
                tables = tables_of(model)
                for kind, name in (("VIEW", tables.view), ("TABLE", tables.feed), ("TABLE", tables.state)):
                    client.command(f"DROP {kind} IF EXISTS {name} SYNC")


def _differences() -> list[dict[str, object]]:
    counts = [(f"bench_{what}_by_{key}", key, _counting(what, key)) for what in COUNTS for key in KEYS[:2]]
    visitors = [(f"bench_visitors_by_{key}", key, _visitors(key)) for key in KEYS[1:]]
    return [{"name": name, "order_by": ("window_start", key), "sql": sql} for name, key, sql in counts + visitors]


def _counting(what: str, key: str) -> str:
    return (
        f"SELECT toStartOfMinute(event_time) AS window_start, {key}, sumSimpleState(1) AS event_count "
        f"FROM {SOURCE} WHERE event_type = '{what}' GROUP BY window_start, {key}"
    )


def _visitors(key: str) -> str:
    return (
        f"SELECT toStartOfMinute(event_time) AS window_start, {key}, uniqState(user_id) AS visitors "
        f"FROM {SOURCE} GROUP BY window_start, {key}"
    )
