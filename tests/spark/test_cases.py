"""Every folder of tests/cases: what silver, quarantine and the rejected rows must be for some Kafka records."""

from datetime import timedelta
from pathlib import Path

import pytest

from millrace.intervals import Interval
from spark_jobs.silver import publish_silver, stage_silver
from spark_jobs.transforms.bronze import bad_records, bronze_rows, quarantine_rows
from spark_jobs.transforms.decode import decode
from tests.spark import cases
from tests.spark.tiny_lake import Row, TinyLake


@pytest.mark.parametrize("folder", list(cases.folders()), ids=lambda f: f"{f.parent.name}/{f.name}")
def test_case(lake: TinyLake, folder: Path):
    source = lake.catalog.source(folder.parent.name)
    records = cases.lines(folder / "kafka.jsonl")
    decoded = decode(cases.kafka_records(lake.spark, source, records), source)
    bronze = bronze_rows(decoded, source)
    bronze.write.format("delta").partitionBy("append_hour").save(lake.path("bronze", source.name))
    times = cases.append_times(records)
    run = lake.run_over(Interval(min(times), max(times) + timedelta(seconds=1)))
    stage_silver(run, source.name)
    publish_silver(run, source.name)

    refused = [row.asDict() for row in quarantine_rows(bad_records(decoded), source).collect()]
    agree(refused, cases.lines(folder / "quarantine.jsonl"), "quarantine")
    agree(lake.rows("rejected", source.name), cases.lines(folder / "rejected.jsonl"), "rejected")
    key = lake.settings.pseudonym_key.get_secret_value().encode()
    silver, wanted = lake.rows("silver", source.name), cases.lines(folder / "silver.jsonl")
    missing = [line for line in wanted if not any(cases.matches(row, line, key) for row in silver)]
    assert not missing, f"silver lacks {missing}; it holds {silver}"
    assert len(silver) == len(wanted)


def agree(rows: list[Row], wanted: list[cases.Line], where: str) -> None:
    """Compare offsets, and the reasons where the case tells them."""
    reasons = {row["kafka_offset"]: row["reason"] for row in rows}
    assert sorted(reasons) == sorted(line["kafka_offset"] for line in wanted), f"{where}: {reasons}"
    for line in wanted:
        assert line.get("reason", "") in reasons[line["kafka_offset"]]
