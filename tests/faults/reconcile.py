"""The count after a fault: every record that Kafka acknowledged is where it belongs, and there once."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.lab import Lab
from tests.faults.load import Acked, Load
from tests.services.platform import await_that
from tests.services.truth import Sent, clickhouse_rows, lake_count, lake_rows, read_topic

Position = tuple[int, int]
DEADLINE = 240


@dataclass(frozen=True)
class Counted:
    """What was found: records of the topic by what should become of them."""

    good: list[Sent]
    bad: list[Sent]

    @property
    def first_of_each(self) -> dict[str, dict[str, Any]]:
        """Each event once, by its id, in the order of Kafka's append time."""
        events: dict[str, dict[str, Any]] = {}
        for record in sorted(self.good, key=lambda r: (r.append_time, r.partition, r.offset)):
            event = record.event or {}
            events.setdefault(event["id"], event)
        return events


def reconcile(
    lab: Lab,
    load: Load,
    *,
    refused: Collection[bytes | None] = (),
    live: Mapping[str, int] | None = None,
    others: bool = False,
    seconds: float = DEADLINE,
) -> Counted:
    """Wait until the tables hold as much as Kafka does, then compare all of it.

    `refused` are the values that belong in quarantine, `live` says how often an id is in the live table where that
    is not once; `others` allows records of earlier loads in the topic.
    """
    sent = read_topic(lab.settings, lab.topic)
    counted = Counted([s for s in sent if s.value not in refused], [s for s in sent if s.value in refused])
    _check_kafka(load.acked, sent, others)
    _check_lake(lab, counted, seconds)
    _check_live(lab, counted, live or {}, seconds)
    return counted


def _check_kafka(acked: list[Acked], sent: list[Sent], others: bool) -> None:
    """The premise: the idempotent producer put each acknowledged record into the topic once, and no other."""
    there = {(s.partition, s.offset): s.value for s in sent}
    assert others or len(acked) == len(there), f"Kafka acknowledged {len(acked)} records and holds {len(there)}"
    assert all(there.get((a.partition, a.offset), b"?") == a.value for a in acked)


def _check_lake(lab: Lab, counted: Counted, seconds: float) -> None:
    wanted = len(counted.good) + len(counted.bad)

    def landed() -> int | None:
        found = lake_count(lab.settings, "bronze", lab.source) + lake_count(lab.settings, "quarantine", lab.source)
        return found if found >= wanted else None

    try:
        await_that(landed, f"{wanted} records of {lab.source} in bronze and quarantine", seconds)
    finally:
        bronze = lake_rows(
            lab.settings, "bronze", lab.source, "SELECT kafka_partition, kafka_offset, id, number FROM t"
        )
        _same("bronze", Counter((p, o) for p, o, *_ in bronze), _positions(counted.good))
        refused = lake_rows(
            lab.settings, "quarantine", lab.source, "SELECT kafka_partition, kafka_offset, value FROM t"
        )
        _same("quarantine", Counter((p, o) for p, o, _ in refused), _positions(counted.bad))
    events = {(s.partition, s.offset): s.event or {} for s in counted.good}
    assert all((events[p, o]["id"], events[p, o]["number"]) == (key, number) for p, o, key, number in bronze)
    values = {(s.partition, s.offset): s.value for s in counted.bad}
    assert all(values[p, o] == (None if value is None else bytes(value)) for p, o, value in refused)


def _check_live(lab: Lab, counted: Counted, more: Mapping[str, int], seconds: float) -> None:
    events = counted.first_of_each
    wanted = Counter({key: more.get(key, 1) for key in events})
    sql = f"SELECT id, count() AS n FROM live.`{lab.source}` GROUP BY id"

    def arrived() -> Counter[str] | None:
        found = Counter({row["id"]: row["n"] for row in clickhouse_rows(lab.settings, sql)})
        return found if found.total() >= wanted.total() else None

    try:
        await_that(arrived, f"{wanted.total()} rows of {lab.source} in ClickHouse", seconds)
    finally:
        _same("live", Counter({row["id"]: row["n"] for row in clickhouse_rows(lab.settings, sql)}), wanted)
    _check_sums(lab, events, wanted)


def _check_sums(lab: Lab, events: Mapping[str, dict[str, Any]], times: Counter[str]) -> None:
    """The real-time model counts what the live table holds: a block that came twice would show here."""
    sql = f"SELECT kind, sum(events) AS n, sum(total) AS total FROM realtime.{lab.source}_counts GROUP BY kind"
    rows = clickhouse_rows(lab.settings, sql)
    counts: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for key, event in events.items():
        counts[event["kind"]] += times[key]
        totals[event["kind"]] += times[key] * event["number"]
    found = {row["kind"]: (row["n"], row["total"]) for row in rows}
    wanted = {kind: (n, totals[kind]) for kind, n in counts.items()}
    assert found == wanted, f"the real-time model says {found}, the events say {wanted}"


def _positions(records: list[Sent]) -> Counter[Position]:
    return Counter((s.partition, s.offset) for s in records)


def _same(where: str, found: Counter[Any], wanted: Counter[Any]) -> None:
    lost, more = wanted - found, found - wanted
    assert not lost, f"{where}: {lost.total()} of {wanted.total()} are missing, e.g. {sorted(lost)[:3]}"
    assert not more, f"{where}: {more.total()} are there too often, e.g. {sorted(more.items())[:3]}"
