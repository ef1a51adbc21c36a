"""The medallion on a lake of a few rows: what is published, and that nothing changes when it is done again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spark_jobs.bronze import bronze_rows
from spark_jobs.edges.lake import appended_in
from spark_jobs.gold import publish_gold, stage_gold
from spark_jobs.silver import publish_silver, stage_silver
from tests.spark.tiny_lake import SOURCE, TEN, Row, TinyLake, event

MODELS = ("fact_events", "user_days", "dim_users", "kpi_conversion_rate")
TABLES = (("silver", SOURCE), ("rejected", SOURCE), *(("gold", model) for model in MODELS))


def test_an_hour_becomes_silver_and_gold_and_two_more_runs_change_no_column(lake: TinyLake):
    lake.land(
        event(0, 0, user_id=1, event_type="login"),
        event(1, 1, user_id=2, event_type="purchase"),
        event(2, 2, event_id="e1", user_id=2, event_type="purchase", timestamp=TEN + timedelta(minutes=1)),
        event(3, 3, event_id=" "),
        event(4, 4, timestamp=datetime(1999, 12, 31, tzinfo=UTC)),
        event(5, 5, timestamp=datetime(2026, 1, 4, tzinfo=UTC)),
        event(6, 6, timestamp=datetime(2026, 1, 1, 23, tzinfo=UTC)),
    )
    run = lake.run(0, 1)
    assert vars(stage_silver(run, SOURCE)) == {"bronze": 7, "candidates": 3, "duplicates": 1, "rejected": 3}
    published = publish_silver(run, SOURCE)
    assert (published.inserted, published.rejected, published.partitions) == (3, 3, ("2026-01-01", "2026-01-02"))
    assert {row["event_id"] for row in lake.rows("silver", SOURCE)} == {"e0", "e1", "e6"}
    reasons = {row["kafka_offset"]: row["reason"] for row in lake.rows("rejected", SOURCE)}
    assert reasons == {
        3: "event_id is missing or blank",
        4: "timestamp is before 2000",
        5: "timestamp is more than a day after the record was appended",
    }
    assert lake.indexed == [3]
    for model in MODELS:
        stage_gold(run, model)
        publish_gold(run, model)
    rates = {str(row["event_date"]): row["conversion_rate"] for row in lake.rows("gold", "kpi_conversion_rate")}
    assert rates == {"2026-01-01": 0.0, "2026-01-02": 0.5}
    assert {row["event_id"] for row in lake.rows("gold", "fact_events")} == {"e0", "e1", "e6"}

    before = {table: lake.rows(*table) for table in TABLES}
    for again in ("second", "third"):
        lake.refine(0, 1, *MODELS, run_id=again)
        assert {table: lake.rows(*table) for table in TABLES} == before


def test_a_late_event_changes_its_own_day_only(lake: TinyLake):
    yesterday = datetime(2026, 1, 1, 12, tzinfo=UTC)
    lake.land(event(0, 0), event(1, 1, timestamp=yesterday))
    lake.refine(0, 1, "kpi_conversion_rate")
    before = {row["event_date"]: row for row in lake.rows("gold", "kpi_conversion_rate")}
    lake.land(event(2, 61, timestamp=yesterday, event_type="purchase"))
    run = lake.refine(1, 2, "kpi_conversion_rate")
    assert publish_silver(run, SOURCE).partitions == ("2026-01-01",)
    after = {row["event_date"]: row for row in lake.rows("gold", "kpi_conversion_rate")}
    changed = [str(day) for day in after if after[day] != before[day]]
    assert changed == ["2026-01-01"]
    assert after[yesterday.date()]["total_events"] == 2


def test_a_partial_run_before_the_full_one_changes_nothing(lake: TinyLake):
    rows = [event(0, 0), event(1, 10, event_id="e0"), event(2, 30), event(3, 40, event_id="e2"), event(4, 50)]
    lake.land(*rows)
    lake.refine(0, 0.4, "user_days", "dim_users", run_id="by hand")
    first = {row["event_id"]: row for row in lake.rows("silver", SOURCE)}
    lake.refine(0, 1, "user_days", "dim_users", run_id="scheduled")
    full = {row["event_id"]: row for row in lake.rows("silver", SOURCE)}
    assert list(first) == ["e0"]
    assert sorted(full) == ["e0", "e2", "e4"]
    assert full["e0"] == first["e0"]
    assert [row["total_events"] for row in lake.rows("gold", "dim_users")] == [3]


def test_the_order_of_a_backfill_does_not_matter(lake: TinyLake):
    lake.land(event(0, 0), event(1, 65, event_id="e0"), event(2, 66), event(3, 125, event_id="e2"), event(4, 126))
    for hour in (2, 0, 1):
        lake.refine(hour, hour + 1, run_id=f"hour {hour}")
    offsets = [row["kafka_offset"] for row in lake.rows("silver", SOURCE)]
    assert sorted(offsets) == [0, 2, 4]


def test_dimensions_add_up_to_what_silver_holds(lake: TinyLake):
    lake.land(*(event(i, i * 15, user_id=i % 3, source=("web", "mobile")[i % 2]) for i in range(8)))
    for hour in range(2):
        lake.refine(hour, hour + 1, "user_days", "dim_users", run_id=f"hour {hour}")
    counted = lake.table("silver", SOURCE).groupBy("user_id").count().collect()
    users = {row["user_id"]: row["total_events"] for row in lake.rows("gold", "dim_users")}
    assert users == {row[0]: row[1] for row in counted}
    assert all(row["source_count"] == 2 for row in lake.rows("gold", "dim_users"))


def test_two_runs_at_once_insert_each_event_once(lake: TinyLake):
    lake.land(*(event(i, i) for i in range(50)))
    runs = [lake.run(0, 1, "one"), lake.run(0.25, 1.5, "two"), lake.run(0, 0.5, "three")]
    for run in runs:
        stage_silver(run, SOURCE)
    with ThreadPoolExecutor(3) as pool:
        published = list(pool.map(lambda run: publish_silver(run, SOURCE), runs))
    assert sum(p.inserted for p in published) == 50
    assert lake.table("silver", SOURCE).count() == 50


def test_candidates_from_before_another_run_published_are_staged_anew(lake: TinyLake):
    lake.land(event(0, 0), event(1, 61))
    slow = lake.refine(0, 1, run_id="slow")
    stage_gold(slow, "kpi_conversion_rate")
    lake.refine(1, 2, run_id="fast")
    publish_gold(slow, "kpi_conversion_rate")
    assert lake.audited == ["gold.kpi_conversion_rate"]
    assert [row["total_events"] for row in lake.rows("gold", "kpi_conversion_rate")] == [2]


def test_candidates_from_before_another_run_made_gold_of_more_undo_nothing(lake: TinyLake):
    lake.land(event(0, 0), event(1, 61))
    slow = lake.refine(0, 1, run_id="slow")
    stage_gold(slow, "kpi_conversion_rate")
    lake.refine(1, 2, "kpi_conversion_rate", run_id="fast")
    publish_gold(slow, "kpi_conversion_rate")
    assert [row["total_events"] for row in lake.rows("gold", "kpi_conversion_rate")] == [2]


def test_an_hour_without_rows_publishes_nothing(lake: TinyLake):
    lake.land(event(0, 0))
    lake.refine(3, 4, "kpi_conversion_rate")
    assert lake.rows("silver", SOURCE) == []


def test_an_interval_reads_the_files_of_its_hours_only(lake: TinyLake):
    for hour in range(2):
        lake.land(event(hour, 60 * hour))
        lake.refine(hour, hour + 1, "fact_events")
    source = lake.catalog.source(SOURCE)
    run = lake.run(1, 2)
    assert len(bronze_rows(run, source, run.interval).inputFiles()) == 1
    silver = lake.table("silver", SOURCE)
    assert len(silver.inputFiles()) == 2
    assert len(silver.where(appended_in(run.interval)).inputFiles()) == 1
    insert = lake.spark.sql(f"DESCRIBE HISTORY delta.`{lake.path('gold', 'fact_events')}` LIMIT 1").collect()[0]
    assert insert["operationMetrics"]["numFiles"] == "1"
    assert insert["operationParameters"]["mode"] == "Append"
    assert len(lake.table("gold", "fact_events").inputFiles()) == 2  # none was removed


def other(offset: int, minute: float, **values: Any) -> Row:
    """An event with the id, the page and the time of the event at offset 0."""
    return event(offset, minute, **{"event_id": "e0", "timestamp": TEN, **values})


@pytest.mark.parametrize("broadcast", [500_000, 0], ids=["few", "too many for every task"])
def test_the_same_id_with_other_content_is_told_once(lake: TinyLake, broadcast: int, monkeypatch: pytest.MonkeyPatch):
    """Whatever the order of the runs, and though hours are refined in pieces."""
    monkeypatch.setattr("spark_jobs.repeats.MOST_BROADCAST", broadcast)
    lake.land(
        other(0, 0),
        other(1, 1),
        other(2, 2, page="/b"),
        other(3, 3, page="/b"),
        other(4, 4, timestamp=TEN + timedelta(microseconds=1)),
        other(5, 61, unknown_fields='{"x": 1}'),
        other(6, 62, page="/c"),
        event(7, 63),
    )
    for number, (start, end) in enumerate([(1, 2), (0, 0.05), (0, 1), (1, 2)]):
        lake.refine(start, end, run_id=f"run {number}")
        reasons = {row["kafka_offset"]: row["reason"] for row in lake.rows("rejected", SOURCE)}
    assert sorted(reasons) == [2, 4, 6]
    assert set(reasons.values()) == {"event_id: same id as an earlier event, other content"}
    assert sorted(row["kafka_offset"] for row in lake.rows("silver", SOURCE)) == [0, 7]


def test_a_record_that_bronze_holds_twice_is_one_event(lake: TinyLake):
    """It should not; silver does not rely on it."""
    lake.land(event(0, 0), event(0, 0), event(1, 1))
    lake.refine(0, 1)
    assert [row["kafka_offset"] for row in lake.rows("silver", SOURCE)] == [0, 1]
    assert lake.rows("rejected", SOURCE) == []


def test_an_id_may_come_again_when_the_window_is_over(lake: TinyLake):
    days = lake.catalog.source(SOURCE).dedup_window / timedelta(hours=1)
    lake.land(other(0, 0), other(1, days * 60 + 1, page="/b"), other(2, days * 60 + 2, page="/c"))
    lake.refine(days, days + 1)
    assert [row["kafka_offset"] for row in lake.rows("rejected", SOURCE)] == [2]


def test_one_id_a_thousand_times(lake: TinyLake):
    lake.land(*(other(n, n / 100, page=f"/{n % 4}") for n in range(1000)))
    lake.refine(0, 1)
    assert [row["kafka_offset"] for row in lake.rows("rejected", SOURCE)] == [1, 2, 3]
    assert [row["kafka_offset"] for row in lake.rows("silver", SOURCE)] == [0]
