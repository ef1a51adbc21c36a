"""Upkeep: fewer files, the same rows, no folders left behind."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spark_jobs.maintenance import clean_staging, maintain_source
from tests.spark.tiny_lake import SOURCE, TinyLake, event


def test_compaction_changes_no_row(lake: TinyLake):
    for hour in range(2):
        lake.land(event(hour, 60 * hour))
        run = lake.refine(hour, hour + 1)
    before = lake.rows("silver", SOURCE)
    done = maintain_source(run, SOURCE)
    assert (done.files_before, done.files_after) == (2, 1)
    assert lake.rows("silver", SOURCE) == before
    lake.refine(0, 2, run_id="again")
    assert lake.rows("silver", SOURCE) == before


def test_staging_of_yesterday_goes_and_todays_stays(lake: TinyLake, monkeypatch):
    monkeypatch.setattr("spark_jobs.maintenance._drop_sync_tables", lambda *_: 0)
    old, new = (Path(lake.run(0, 1, run_id).staging("silver", SOURCE)) for run_id in ("old", "new"))
    for folder in (old, new):
        (folder / "_delta_log").mkdir(parents=True)
        (folder / "_delta_log" / "0.json").write_text("{}")
    yesterday = (datetime.now(UTC) - timedelta(hours=25)).timestamp()
    os.utime(old / "_delta_log" / "0.json", (yesterday, yesterday))
    assert clean_staging(lake.run(0, 1)).folders == 1
    assert (old.exists(), new.exists()) == (False, True)
