"""The ledger's counts over a lake of a few rows: each layer, duplicates, doubles, and gold's base."""

from dataclasses import replace
from datetime import timedelta

import pytest

from millrace.control.ledger import Copy
from spark_jobs.copies import gold_copies
from spark_jobs.lake_counts import LakeCounts, count_lake, total
from tests.spark.tiny_lake import SOURCE, TEN, TinyLake, event


@pytest.fixture
def refined(lake: TinyLake):
    """An hour of three events, a duplicate and a row without an id, after one of them in the hour before."""
    lake.land(
        event(0, -5),
        event(1, 0),
        event(2, 1),
        event(3, 2, event_id="e1", timestamp=TEN),
        event(4, 3, event_id="e0", timestamp=TEN - timedelta(minutes=5)),
        event(5, 4, event_id=" "),
        event(6, 59),
        event(7, 60),
    )
    return lake.refine(0, 1, "fact_events")


def counts(lake: TinyLake, run) -> LakeCounts:
    return total(count_lake(run, lake.catalog.source(SOURCE)).values())


def test_every_row_of_the_hour_is_accounted_for(lake: TinyLake, refined):
    found = counts(lake, refined)
    assert (found.bronze, found.distinct, found.quarantined, found.silver) == (6, 6, 0, 3)
    assert found.acceptable - found.fresh == 2
    assert found.reasons == {"event_id is missing or blank": 1}


def test_a_recount_without_staged_rows_finds_the_same(lake: TinyLake, refined):
    assert counts(lake, replace(refined, run_id="another")) == counts(lake, refined)


def test_a_record_that_landed_twice_is_seen(lake: TinyLake, refined):
    lake.land(event(2, 1))
    found = counts(lake, refined)
    assert (found.bronze, found.distinct) == (7, 6)


def test_several_hours_are_counted_each(lake: TinyLake):
    lake.land(event(0, 0), event(1, 30), event(2, 65, event_id="e1", timestamp=TEN + timedelta(minutes=30)))
    lake.land(event(3, 70), event(4, 80, event_id=" "))
    run = lake.refine(0, 2)
    first, second = count_lake(run, lake.catalog.source(SOURCE)).values()
    assert (first.bronze, first.silver, first.reasons) == (2, 2, {})
    assert (second.bronze, second.silver, second.reasons) == (3, 1, {"event_id is missing or blank": 1})
    assert (first.acceptable - first.fresh, second.acceptable - second.fresh) == (0, 1)


def test_a_record_that_landed_twice_is_seen_in_the_later_hour(lake: TinyLake):
    lake.land(event(0, 0), event(1, 65))
    run = lake.refine(0, 2)
    lake.land(event(0, 66))
    first, second = count_lake(run, lake.catalog.source(SOURCE)).values()
    assert (first.bronze, first.distinct, second.bronze, second.distinct) == (1, 1, 2, 1)


def test_before_anything_landed_there_is_nothing(lake: TinyLake):
    assert counts(lake, lake.run(0, 1)) == LakeCounts(0, 0, 0, 0, 0, 0, {})


def test_rows_that_gold_lost_are_missed(lake: TinyLake, refined):
    source = lake.catalog.source(SOURCE)
    assert gold_copies(refined, source) == {"gold.fact_events": Copy(3, 3)}
    lake.spark.sql(f"DELETE FROM delta.`{lake.path('gold', 'fact_events')}` WHERE event_id = 'e2'")
    assert gold_copies(refined, source) == {"gold.fact_events": Copy(3, 2)}


def test_gold_that_was_never_published_is_missed(lake: TinyLake):
    lake.land(event(0, 0))
    run = lake.refine(0, 1)
    assert gold_copies(run, lake.catalog.source(SOURCE)) == {"gold.fact_events": Copy(1, 0)}
