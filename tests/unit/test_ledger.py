"""The arithmetic of the ledger, and the words in which it says where something is missing."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from millrace.control.ledger import Copy, Entry
from millrace.intervals import Interval
from spark_jobs.ledger import told

HOUR = datetime(2026, 1, 2, 10, tzinfo=UTC)


def entry(**counts: Any) -> Entry:
    usual = {"kafka_acked": 10, "bronze": 9, "quarantined": 1, "silver": 6, "duplicates": 2, "rejected": 1}
    return Entry("user_events", HOUR, HOUR + timedelta(hours=1), "run", **(usual | counts))


def test_what_adds_up_balances():
    assert entry().balances


@pytest.mark.parametrize(
    ("counts", "missing", "lost"),
    [({"kafka_acked": 12}, 2, 0), ({"bronze": 10}, -1, 1), ({"silver": 5}, 0, 1), ({"duplicates": 3}, 0, -1)],
)
def test_what_does_not_is_told(counts: dict[str, int], missing: int, lost: int):
    found = entry(**counts)
    assert (found.missing, found.lost, found.balances) == (missing, lost, False)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"kafka_acked": 12}, "2 records that Kafka acked are neither in bronze nor in quarantine"),
        ({"kafka_acked": 9}, "bronze and quarantine hold 1 records more than Kafka acked"),
        ({"doubled": 1}, "1 records are in bronze or quarantine twice"),
        ({"silver": 4}, "2 rows of bronze are neither in silver nor duplicates nor rejected"),
        ({"silver": 7}, "silver, duplicates and rejected are 1 rows more than bronze"),
        ({"copies": {"gold.fact_events": Copy(6, 5)}}, "gold.fact_events holds 5 rows where silver has 6"),
        ({"copies": {"clickhouse.gold.dau": Copy(3, 4)}}, "clickhouse.gold.dau holds 4 rows where the lake has 3"),
        (
            {"copies": {"clickhouse.gold.dau": Copy(3, 3, stale=1)}},
            "clickhouse.gold.dau holds other rows than the lake in 1 partitions",
        ),
        ({"copies": {"clickhouse.live.e": Copy(9, 8)}}, "clickhouse.live.e holds 8 rows where bronze has 9"),
    ],
)
def test_it_says_which_hop_lacks_how_many(counts: dict[str, Any], said: str) -> None:
    assert entry(**counts).problems == (said,)
    assert entry(**counts).verdict == said


def test_every_hop_that_is_wrong_is_told():
    assert len(entry(kafka_acked=12, silver=5, copies={"gold.x": Copy(5, 4)}).problems) == 3


def test_what_cannot_be_told_is_not_held_against_the_interval():
    found = entry(copies={"clickhouse.live.e": Copy(9, None), "clickhouse.gold.dau": Copy(None, None)})
    assert found.balances
    assert (found.live, found.served, found.gold) == (None, None, None)


def test_totals_add_the_copies_up():
    copies = {"clickhouse.gold.a": Copy(2, 2), "clickhouse.gold.b": Copy(3, 1), "gold.fact": Copy(6, 6)}
    found = entry(copies=copies)
    assert (found.gold, found.served, found.live, found.balances) == (6, 3, None, False)


def test_an_entry_knows_its_interval():
    found = entry()
    assert found.interval == Interval.from_key(found.interval.key)
    assert asdict(found)["copies"] == {}


def test_what_kafka_has_deleted_is_not_held_against_the_interval():
    assert entry(kafka_acked=None).balances


@pytest.mark.parametrize(
    ("counts", "speaking"),
    [
        ([{}, {}, {}], [0, 1, 2]),
        ([{"bronze": 8}, {}, {"bronze": 8}], [0, 1]),
        ([{}, {"silver": 5}, {"silver": 7}], [0, 1, 2]),
        ([{"bronze": 8}], [0]),
    ],
)
def test_an_interval_that_does_not_balance_speaks_for_its_hours(counts: list[dict[str, int]], speaking: list[int]):
    """Hours that make up for each other have no other voice; those that balance close what was open."""
    entries = [entry(**one) for one in counts]
    assert [entries.index(one) for one in told(entries)] == [entries.index(entries[n]) for n in speaking]
    assert len(told(entries)) == len(speaking)
