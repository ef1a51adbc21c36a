"""How batches are written to a live table."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from millrace.contracts.catalog import read_catalog
from millrace.settings import ROOT
from spark_jobs.edges.live_table import LiveTable, by_day
from spark_jobs.id_window import IdWindow

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


def appended(*seconds: float) -> pa.Table:
    times = [MIDNIGHT + timedelta(seconds=after) for after in seconds]
    return pa.table(
        {"append_time": pa.array(times, pa.timestamp("us", "UTC")), "kafka_offset": list(range(len(times)))}
    )


def test_a_batch_of_one_day_keeps_its_token() -> None:
    rows = appended(0, 1, 86_399.999999)
    assert by_day(rows, "live.x:id:7") == [("live.x:id:7", rows)]


def test_a_batch_over_midnight_is_two_inserts_the_older_first() -> None:
    parts = by_day(appended(-1, -0.000001, 0, 5), "t")
    assert [(token, part["kafka_offset"].to_pylist()) for token, part in parts] == [
        ("t:2026-11-20", [0, 1]),
        ("t:2026-11-21", [2, 3]),
    ]


def test_each_day_is_inserted_as_a_block_with_its_token() -> None:
    inserted: list[tuple[str, int]] = []

    def insert_arrow(_: str, rows: pa.Table, settings: dict[str, str]) -> None:
        inserted.append((settings["insert_deduplication_token"], rows.num_rows))

    clickhouse: Any = SimpleNamespace(mine=lambda: SimpleNamespace(insert_arrow=insert_arrow))
    table = LiveTable(clickhouse, read_catalog(ROOT).source("user_events"))
    table.insert(appended(-1, 0, 1), "t")
    assert inserted == [("t:2026-11-20", 1), ("t:2026-11-21", 2)]


def test_an_event_that_silver_refuses_for_its_time_hides_no_other() -> None:
    """Dated before 2000, or more than a day ahead, it has a hash of its own kind, the same each time."""
    appended_at = MIDNIGHT
    dated = [MIDNIGHT, datetime(1999, 12, 31, tzinfo=UTC), MIDNIGHT + timedelta(days=1, microseconds=1)]
    dated += [MIDNIGHT + timedelta(days=1), datetime(2000, 1, 1, tzinfo=UTC), dated[1]]
    microseconds = pa.timestamp("us", "UTC")
    batch = pa.table(
        {
            "_id_hash": pa.array([7] * len(dated), pa.int64()),
            "append_time": pa.array([appended_at] * len(dated), microseconds),
            "event_time": pa.array(dated, microseconds),
        }
    )
    ids, times = LiveTable.ids_and_times(batch)
    assert ids.tolist() == [7, ~7, ~7, 7, 7, ~7]
    assert set(times.tolist()) == {int(MIDNIGHT.timestamp()) * 1_000_000}
    assert IdWindow(60_000_000).admit(ids, times).tolist() == [True, True, False, False, False, False]
