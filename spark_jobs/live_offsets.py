"""Where a stream model stands in its live table, and what its next batch takes: arithmetic, and the SQL that asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SLACK = 120_000_000
"""Microseconds by which the clocks of two brokers that lead the same partition one after the other may differ."""
DRIFT = 900_000_000
"""Microseconds of append time by which a partition may lag behind another before it is looked for by itself. Otherwise
one idle partition would have every look go back to its last row."""
_APPEND_TIME = "_append_time"


@dataclass(frozen=True)
class Reached:
    """One Kafka partition of a live table: its next offset, and the newest append time (microseconds) before that."""

    next: int
    newest: int


@dataclass(frozen=True)
class Found:
    """What a look has found of one partition: its first row, and how far its rows go."""

    first: int
    reached: Reached


@dataclass(frozen=True)
class Span:
    """Offsets `[start, end)` of one partition, appended after `since` (but for `SLACK`) and up to `newest`."""

    partition: int
    start: int
    end: int
    since: int | None
    newest: int


Position = Mapping[int, Reached]
_NOWHERE = Reached(0, 0)


def written(source: str, position: Position) -> dict[str, Any]:
    """As Spark keeps it: next offsets in the shape of Kafka's, the append times beside them. Equal ones look equal."""
    ordered = sorted(position.items())
    return {
        source: {str(partition): reached.next for partition, reached in ordered},
        _APPEND_TIME: {str(partition): reached.newest for partition, reached in ordered},
    }


def parsed(source: str, offset: Mapping[str, Any]) -> dict[int, Reached]:
    """The position that `written` wrote; a query that has read nothing stands at none."""
    times = offset.get(_APPEND_TIME, {})
    return {int(partition): Reached(at, times[partition]) for partition, at in offset.get(source, {}).items()}


def looked_for_since(before: Position) -> int | None:
    """Append time from which rows may be new; none before the first look, which takes all."""
    if not before:
        return None
    newest = [reached.newest for reached in before.values()]
    return max(min(newest), max(newest) - DRIFT) - SLACK


def advanced(before: Position, found: Mapping[int, Found]) -> dict[int, Reached]:
    """The newest position: what was found, where it goes further than what was known."""
    further = {p: f.reached for p, f in found.items() if p not in before or f.reached.next > before[p].next}
    return {**before, **further}


def ends_within(before: Position, found: Mapping[int, Found], limit: int) -> dict[int, int]:
    """Where a batch of about `limit` offsets ends, per partition that it shortens, in proportion to what waits there.

    A batch has at most as many rows as offsets: duplicates and bad records are not in the live table. Each partition
    moves by one at least.
    """
    starts = {p: before[p].next if p in before else f.first for p, f in found.items()}
    waiting = {p: f.reached.next - starts[p] for p, f in found.items() if f.reached.next > starts[p]}
    total = sum(waiting.values())
    if total <= limit:
        return {}
    return {p: starts[p] + max(1, size * limit // total) for p, size in waiting.items()}


def shortened(
    before: Position, newest: Position, ends: Mapping[int, int], times: Mapping[int, int]
) -> dict[int, Reached]:
    """`newest` with the batch's ends; `times` are the newest append times before them, none where no row is."""
    return {**newest, **{p: Reached(end, times.get(p, before.get(p, _NOWHERE).newest)) for p, end in ends.items()}}


def spans(start: Position, end: Position) -> list[Span]:
    """What lies between two positions."""
    return [
        _span(p, start.get(p), reached)
        for p, reached in sorted(end.items())
        if p not in start or reached.next > start[p].next
    ]


def dealt(items: Sequence[Span], hands: int) -> list[tuple[Span, ...]]:
    """The spans in at most so many groups, the large ones first."""
    ordered = sorted(items, key=lambda span: span.start - span.end)
    return [tuple(ordered[hand::hands]) for hand in range(min(hands, len(ordered)))]


def look_sql(table: str, before: Position) -> str:
    """Partition, first offset, next offset and newest append time, of what was appended since; maybe in two rows.

    Partitions far behind the others, and those that are not known, are looked for by number, which the table's other
    index holds: after an outage live may bring one on that stays idle from then.
    """
    since = looked_for_since(before)
    if since is None:
        return _look(table, "true")
    behind = [
        f"kafka_partition = {p} AND append_time >= {_moment(at.newest - SLACK)}"
        for p, at in sorted(before.items())
        if at.newest - SLACK < since
    ]
    unknown = f"kafka_partition NOT IN ({', '.join(map(str, sorted(before)))})"
    older = [f"{condition} AND append_time < {_moment(since)}" for condition in [*behind, unknown]]
    return " UNION ALL ".join(_look(table, condition) for condition in [f"append_time >= {_moment(since)}", *older])


def merged(rows: Iterable[Sequence[int]]) -> dict[int, Found]:
    """What a look has found, by partition."""
    found: dict[int, Found] = {}
    for partition, first, last, newest in rows:
        known = found.get(partition, Found(first, Reached(last, newest)))
        reached = Reached(max(last, known.reached.next), max(newest, known.reached.newest))
        found[partition] = Found(min(first, known.first), reached)
    return found


def times_sql(table: str, before: Position, ends: Mapping[int, int]) -> str:
    """Per partition: the newest append time of what lies before its end."""
    wanted = [_rows(_span(p, before.get(p), Reached(end, 0))) for p, end in sorted(ends.items())]
    return (
        "SELECT kafka_partition, toUnixTimestamp64Micro(max(append_time)) "
        f"FROM {table} WHERE {_either(wanted)} GROUP BY kafka_partition"
    )


def rows_sql(table: str, columns: Iterable[str], wanted: Iterable[Span]) -> str:
    """The rows of the spans. Each position is in a live table once, so nothing has to be merged."""
    chosen = ", ".join(f"`{name}`" for name in columns)
    bounded = [f"{_rows(span)} AND append_time <= {_moment(span.newest)}" for span in wanted]
    return f"SELECT {chosen} FROM {table} WHERE {_either(bounded)}"


def _look(table: str, condition: str) -> str:
    return (
        "SELECT kafka_partition, min(kafka_offset), max(kafka_offset) + 1, toUnixTimestamp64Micro(max(append_time)) "
        f"FROM {table} WHERE {condition} GROUP BY kafka_partition"
    )


def _span(partition: int, start: Reached | None, end: Reached) -> Span:
    return Span(partition, start.next if start else 0, end.next, start.newest if start else None, end.newest)


def _either(conditions: Iterable[str]) -> str:
    return " OR ".join(f"({condition})" for condition in conditions)


def _rows(span: Span) -> str:
    offsets = f"kafka_partition = {span.partition} AND kafka_offset >= {span.start} AND kafka_offset < {span.end}"
    return offsets if span.since is None else f"{offsets} AND append_time >= {_moment(span.since - SLACK)}"


def _moment(microseconds: int) -> str:
    return f"fromUnixTimestamp64Micro({microseconds}, 'UTC')"
