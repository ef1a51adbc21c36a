"""The arithmetic of the ledger."""

from datetime import UTC, datetime

import pytest

from millrace.control.ledger import Entry

HOUR = datetime(2026, 1, 2, 10, tzinfo=UTC)


def entry(**counts: int | None) -> Entry:
    usual = {"kafka_acked": 10, "bronze": 9, "quarantined": 1, "silver": 6, "duplicates": 2, "rejected": 1}
    return Entry("user_events", HOUR, HOUR, "run", **(usual | counts))  # type: ignore[arg-type]


def test_what_adds_up_balances():
    assert entry().balances


@pytest.mark.parametrize(
    ("counts", "missing", "lost"),
    [({"kafka_acked": 12}, 2, 0), ({"bronze": 10}, -1, 1), ({"silver": 5}, 0, 1), ({"duplicates": 3}, 0, -1)],
)
def test_what_does_not_is_told(counts: dict[str, int], missing: int, lost: int):
    found = entry(**counts)
    assert (found.missing, found.lost, found.balances) == (missing, lost, False)


def test_what_kafka_has_deleted_is_not_held_against_the_interval():
    assert entry(kafka_acked=None).balances
