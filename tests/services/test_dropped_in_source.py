"""A source that nobody here has seen: new files in a running platform, past hours backfilled, a bad batch stopped."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from millrace import names
from tests.services.platform import Platform, await_backfill, await_that, now
from tests.services.truth import clickhouse_rows, lake_count, lake_rows

NEW_FILES = Path(__file__).parent / "dropped_in"
TOPIC = "lab-readings"
DAG = names.medallion_dag("lab")
HOURS, EACH = 3, 40
"""Past hours that are good, and readings in each; as many hours before them have a bad reading among them."""
BAD = EACH + 7
"""It is well formed; the critical rule of silver's suite refuses it."""
GOOD = range(HOURS * EACH, 2 * HOURS * EACH)


def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


def reading(number: int, taken_at: datetime, celsius: float) -> bytes:
    sensor = f"sensor-{number % 4}"
    event = {"reading_id": f"r{number}", "sensor": sensor, "celsius": celsius, "taken_at": taken_at.isoformat()}
    return json.dumps(event).encode()


def send(platform: Platform, records: list[tuple[datetime, bytes]]) -> None:
    """Publish records that Kafka dates as told: the topic was set to CreateTime."""
    producer = Producer({"bootstrap.servers": platform.settings.kafka_bootstrap, "acks": "all"})
    for at, value in records:
        producer.produce(TOPIC, value, timestamp=int(at.timestamp() * 1000))
    assert producer.flush(30) == 0


@pytest.fixture(scope="module")
def lab(platform: Platform) -> datetime:
    """Copy the new files into the running platform and feed past hours; the start of the first."""
    shutil.copytree(NEW_FILES, platform.settings.project_dir, dirs_exist_ok=True)
    admin = AdminClient({"bootstrap.servers": platform.settings.kafka_bootstrap})
    await_that(lambda: TOPIC in admin.list_topics(timeout=10).topics, f"the topic {TOPIC}", 180)
    past = [ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)]
    resource = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=past)
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result(30)
    start, fed = this_hour() - timedelta(hours=2 * HOURS), 2 * HOURS * EACH
    moments = [start + timedelta(hours=n // EACH, minutes=n % EACH) for n in range(fed)]
    send(platform, [(at, reading(n, at, 900 if n == BAD else 20 + n % 10)) for n, at in enumerate(moments)])
    await_that(lambda: lake_count(platform.settings, "bronze", "readings") == fed, "bronze readings", 180)
    return start


def in_silver(platform: Platform) -> list[str]:
    rows = lake_rows(platform.settings, "silver", "readings", "SELECT reading_id FROM t")
    return sorted(row[0] for row in rows)


def runs_from(platform: Platform, first: datetime) -> dict[int, str]:
    """The runs of the hours that begin at `first`, by number of the hour."""
    found = {datetime.fromisoformat(r["logical_date"]): r for r in platform.api.runs(DAG) if r["logical_date"]}
    return {n: str(found[first + timedelta(hours=n)]["dag_run_id"]) for n in range(HOURS)}


def states(platform: Platform, runs: dict[int, str], task: str) -> dict[int, str]:
    """The state of a task in each of the runs."""
    return {n: str(t["state"]) for n, run in runs.items() for t in platform.api.tasks(DAG, run) if t["task_id"] == task}


def do_again(platform: Platform, run: str) -> str:
    """Clear a whole run, as in the UI; the state in which it ends."""
    platform.api.call("POST", f"dags/{DAG}/dagRuns/{run}/clear", {"dry_run": False, "only_failed": False})
    return platform.await_run(DAG, run)


def test_live_and_real_time_tables_follow(platform: Platform, lab: datetime) -> None:
    """Landing does not wait for ClickHouse: bronze may have them before there is a table."""
    made = "SELECT 1 FROM system.tables WHERE database = 'realtime' AND name = 'readings_per_minute'"
    await_that(lambda: clickhouse_rows(platform.settings, made), "the real-time model")
    sql = "SELECT sum(readings) AS n, avg(mean_celsius) AS mean FROM realtime.readings_per_minute"
    await_that(lambda: clickhouse_rows(platform.settings, sql)[0]["n"] == 2 * HOURS * EACH, "real-time readings")
    assert 20 <= clickhouse_rows(platform.settings, sql)[0]["mean"] <= 29


def test_past_hours_are_backfilled_through_airflow(platform: Platform, lab: datetime) -> None:
    await_that(lambda: platform.api.has_dag(DAG), f"the DAG {DAG}", 120)
    first, last = lab + timedelta(hours=HOURS), lab + timedelta(hours=2 * HOURS - 1)
    await_backfill(platform.api, platform.api.backfill(DAG, first, last, reprocess="completed", max_active_runs=2))
    rows = lake_rows(platform.settings, "silver", "readings", "SELECT reading_id, append_hour FROM t")
    assert sorted(row[0] for row in rows) == sorted(f"r{n}" for n in GOOD)
    assert {row[1].astimezone(UTC) for row in rows} == {first + timedelta(hours=n) for n in range(HOURS)}
    served = clickhouse_rows(
        platform.settings, "SELECT sum(readings) AS n, max(max_celsius) AS hot FROM gold.sensor_days"
    )
    assert served == [{"n": HOURS * EACH, "hot": 29}]


def test_one_run_has_taken_the_hours_of_all(platform: Platform, lab: datetime) -> None:
    """The others skip their work, until a person has one of them do it again. A scheduled run works for itself."""
    runs, before = runs_from(platform, lab + timedelta(hours=HOURS)), in_silver(platform)
    published = states(platform, runs, "silver_readings.publish")
    assert set(published.values()) == {"skipped", "success"}
    assert set(states(platform, runs, "ledger.readings").values()) == {"success", "skipped"}
    number = next(n for n, state in published.items() if state == "skipped")
    assert do_again(platform, runs[number]) == "success"
    assert states(platform, {number: runs[number]}, "silver_readings.publish") == {number: "success"}
    assert in_silver(platform) == before


def test_a_bad_batch_is_stopped_by_its_gate(platform: Platform, lab: datetime) -> None:
    """A reading of 900 degrees is well formed; the critical rule of silver's suite must keep its batch out."""
    before = lake_rows(platform.settings, "silver", "readings", "SELECT reading_id FROM t")
    start = this_hour()
    send(platform, [(now(), reading(1000 + n, now(), 900.0 if n == 3 else 21.0)) for n in range(10)])
    run = platform.api.trigger(DAG, **{"from": start.isoformat(), "to": now().isoformat()})
    assert platform.await_run(DAG, run) == "failed"
    assert set(platform.api.failed_tasks(DAG, run)) == {"silver_readings.gate", "ledger.readings"}
    assert "DOES NOT BALANCE" in platform.log_of(DAG, run, "ledger.readings"), "what was kept out is missing in silver"
    log = platform.log_of(DAG, run, "silver_readings.gate")
    assert "expect_column_values_to_be_between" in log
    assert "celsius" in log
    assert lake_rows(platform.settings, "silver", "readings", "SELECT reading_id FROM t") == before


def test_a_bad_hour_holds_up_no_good_one(platform: Platform, lab: datetime) -> None:
    """The run that took the hours fails at the gate; then each works for its own, and only the bad one fails."""
    last = lab + timedelta(hours=HOURS - 1)
    await_backfill(platform.api, platform.api.backfill(DAG, lab, last, reprocess="completed", max_active_runs=2))
    runs, bad = runs_from(platform, lab), BAD // EACH
    gates = states(platform, runs, "silver_readings.gate")
    assert gates.pop(bad) == "failed"
    took = [n for n, state in gates.items() if state == "failed"]
    assert len(took) <= 1, "besides the bad hour's, only the run that took all of them fails"
    assert all(do_again(platform, runs[n]) == "success" for n in took)
    good = [n for n in range(2 * HOURS * EACH) if n // EACH != bad]
    assert in_silver(platform) == sorted(f"r{n}" for n in good)
