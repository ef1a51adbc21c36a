"""Quarantine from end to end: malformed events are listed, mended, sent again once and only once, or discarded."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from millrace import names
from tests.services.platform import Platform, await_that, now
from tests.services.truth import clickhouse_rows, lake_count, lake_rows

SOURCE, TOPIC, MANY = "user_events", "user-events", 40
FIX = """regexp_replace(text, '"source":"WEB"', '"source":"web"')"""


def event(**changes: Any) -> dict[str, Any]:
    usual = {"user_id": 7, "event_type": "click", "page": "/", "timestamp": now().isoformat(), "source": "web"}
    return {"event_id": str(uuid4()), **usual, **changes}


def publish(platform: Platform, events: list[dict[str, Any]]) -> None:
    producer = Producer({"bootstrap.servers": platform.settings.kafka_bootstrap, "enable.idempotence": True})
    for one in events:
        producer.produce(TOPIC, json.dumps(one, separators=(",", ":")).encode(), b"click")
    assert producer.flush(30) == 0


def millrace(platform: Platform, *arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-c", "from millrace.cli import app; app()", "quarantine", *arguments]
    done = subprocess.run(command, env=platform.environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def groups(platform: Platform) -> dict[str, dict[str, Any]]:
    """By reason."""
    return {g["reason_group"]: g for g in json.loads(millrace(platform, "list", "--all", "--json"))}


def landed(platform: Platform, ids: list[str]) -> int:
    rows = lake_rows(platform.settings, "bronze", SOURCE, "SELECT event_id FROM t")
    return sum(row[0] in set(ids) for row in rows)


@dataclass(frozen=True)
class Bad:
    """What was published, by what is wrong with it; the ids."""

    source: list[str]
    page: list[str]
    user: list[str]
    user_group: str = "user_id: expected int, found ..."
    source_group: str = "source: expected one of web, mobile, found ..."
    page_group: str = "page: expected string, found ..."


@pytest.fixture(scope="module")
def bad(platform: Platform) -> Bad:
    """One group for each of three mistakes; two of the events that are wrong in `source` have landed well before."""
    wrong = {
        "source": [event(source="WEB") for _ in range(MANY)],
        "page": [event(page=number) for number in range(5)],
        "user": [event(user_id=f"{number}x") for number in range(3)],
    }
    before = lake_count(platform.settings, "quarantine", SOURCE)
    publish(platform, [one | {"source": "web"} for one in wrong["source"][:2]])
    publish(platform, [one for kind in wrong.values() for one in kind])
    await_that(lambda: lake_count(platform.settings, "quarantine", SOURCE) >= before + MANY + 8, "quarantine")
    sql = f"SELECT count() AS n FROM ops.quarantine_open WHERE source = '{SOURCE}'"
    await_that(lambda: clickhouse_rows(platform.settings, sql)[0]["n"] >= MANY + 8, "the index")
    return Bad(**{kind: [one["event_id"] for one in events] for kind, events in wrong.items()})


def test_what_failed_alike_is_one_group(platform: Platform, bad: Bad) -> None:
    found = groups(platform)
    assert {found[g]["open"] for g in (bad.source_group, bad.page_group, bad.user_group)} == {MANY, 5, 3}
    assert "open" in millrace(platform, "list")


def test_records_are_shown_with_their_content_on_request_only(platform: Platform, bad: Bad) -> None:
    group = groups(platform)[bad.page_group]["group_id"]
    assert bad.page[0] not in millrace(platform, "show", group)
    lines = [json.loads(line) for line in millrace(platform, "show", group, "--content").splitlines()]
    assert {json.loads(line["value"])["event_id"] for line in lines} == set(bad.page)


def test_export_writes_every_record_to_a_private_file(platform: Platform, bad: Bad, tmp_path: Any) -> None:
    file = tmp_path / "bad.jsonl"
    millrace(platform, "export", groups(platform)[bad.page_group]["group_id"], str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {json.loads(line["value"])["event_id"] for line in lines} == set(bad.page)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_dry_run_changes_nothing_and_says_what_would(platform: Platform, bad: Bad) -> None:
    group = groups(platform)[bad.source_group]["group_id"]
    report = json.loads(millrace(platform, "replay", group, "--fix", FIX, "--dry-run", "--json"))
    assert (report["matched"], report["ready"], report["landed"]) == (MANY, MANY - 2, 2)
    as_is = json.loads(millrace(platform, "replay", group, "--as-is", "--dry-run", "--json"))
    assert (as_is["ready"], as_is["refused"][0]["records"]) == (0, MANY)
    assert groups(platform)[bad.source_group]["open"] == MANY


def test_a_wrong_fix_is_told_and_sends_nothing(platform: Platform, bad: Bad) -> None:
    group = groups(platform)[bad.source_group]["group_id"]
    millrace(platform, "replay", group, "--fix", "no_such_column", "--yes", code=2)
    millrace(platform, "replay", group, "--fix", "uuid()", "--yes", code=2)
    changed = json.loads(millrace(platform, "replay", group, "--fix", f"'{json.dumps(event())}'", "--json"))
    assert [(g["reason"], g["records"]) for g in changed["refused"]] == [("event_id: the fix changes it", MANY)]


@pytest.fixture(scope="module")
def replayed(platform: Platform, bad: Bad) -> dict[str, Any]:
    """A few first, then the rest."""
    group = groups(platform)[bad.source_group]["group_id"]
    first = json.loads(millrace(platform, "replay", group, "--fix", FIX, "--limit", "5", "--yes", "--json"))
    assert first["replayed"] + first["superseded"] == 5
    rest = json.loads(millrace(platform, "replay", group, "--fix", FIX, "--yes", "--json"))
    assert first["replayed"] + rest["replayed"] == MANY - 2
    assert first["superseded"] + rest["superseded"] == 2
    await_that(lambda: landed(platform, bad.source) >= MANY, "bronze to have the replayed events")
    return rest


def test_replayed_events_are_in_bronze_and_live_once(platform: Platform, bad: Bad, replayed: dict[str, Any]) -> None:
    assert landed(platform, bad.source) == MANY
    ids = ", ".join(f"'{one}'" for one in bad.source)
    sql = f"SELECT count() AS n, uniqExact(event_id) AS u FROM live.{SOURCE} WHERE event_id IN ({ids})"
    await_that(lambda: clickhouse_rows(platform.settings, sql)[0]["n"] >= MANY, "live to have them")
    assert clickhouse_rows(platform.settings, sql) == [{"n": MANY, "u": MANY}]
    group = groups(platform)[bad.source_group]
    assert (group["open"], group["replayed"], group["superseded"]) == (0, MANY - 2, 2)


def test_the_record_says_where_it_came_from(platform: Platform, bad: Bad, replayed: dict[str, Any]) -> None:
    sql = f"""SELECT kafka_partition AS p, kafka_offset AS o, to_partition AS tp, to_offset AS t
              FROM ops.quarantine_records WHERE plan_id = '{replayed["plan_id"]}' AND decision = 'replayed' LIMIT 1"""
    [row] = clickhouse_rows(platform.settings, sql)
    headers = headers_at(platform, row["tp"], row["t"])
    assert headers["millrace.replay"].decode() == replayed["plan_id"]
    assert headers["millrace.replay-of"].decode() == f"{TOPIC}/{row['p']}/{row['o']}"


def headers_at(platform: Platform, partition: int, offset: int) -> dict[str, bytes]:
    consumer = Consumer({"bootstrap.servers": platform.settings.kafka_bootstrap, "group.id": "replay-test"})
    consumer.assign([TopicPartition(TOPIC, partition, offset)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    return dict(message.headers() or [])


def test_replaying_twice_changes_nothing(platform: Platform, bad: Bad, replayed: dict[str, Any]) -> None:
    """Not by the decisions alone: asked to take them again, it finds that they have landed."""
    group = groups(platform)[bad.source_group]["group_id"]
    again = json.loads(millrace(platform, "replay", group, "--fix", FIX, "--yes", "--json"))
    assert again["matched"] == 0
    forced = json.loads(millrace(platform, "replay", group, "--fix", FIX, "--again", "--yes", "--json"))
    assert (forced["matched"], forced["ready"], forced["replayed"], forced["superseded"]) == (MANY, 0, 0, MANY)
    assert landed(platform, bad.source) == MANY


def test_discarded_records_are_closed_with_a_reason(platform: Platform, bad: Bad) -> None:
    group = groups(platform)[bad.user_group]["group_id"]
    before = lake_count(platform.settings, "quarantine", SOURCE)
    done = json.loads(millrace(platform, "discard", group, "--why", "test data", "--yes", "--json"))
    assert done["discarded"] == 3
    assert groups(platform)[bad.user_group] | {"open": 0, "discarded": 3} == groups(platform)[bad.user_group]
    assert {line["why"] for line in json.loads(millrace(platform, "show", group, "--json"))} == {"test data"}
    assert lake_count(platform.settings, "quarantine", SOURCE) == before


class TestDag:
    """The same, from Airflow: nothing happens before a person has approved."""

    FIX = 'regexp_replace(text, \'"page":([0-9]+)\', \'"page":"/$1"\')'

    def started(self, platform: Platform, bad: Bad) -> str:
        """A run that waits for its approval."""
        group = groups(platform)[bad.page_group]["group_id"]
        await_that(lambda: platform.api.has_dag(names.QUARANTINE_DAG), "the DAG")
        run = platform.api.trigger(names.QUARANTINE_DAG, source=SOURCE, group=group, fix=self.FIX, why="a number")
        path = f"dags/{names.QUARANTINE_DAG}/dagRuns/{run}/taskInstances/approve"
        await_that(lambda: platform.api.call("GET", path)["state"] == "awaiting_input", "the approval to be asked for")
        await_that(lambda: self.noted(platform, run), "the scheduler to have noted that it asked")
        return run

    def noted(self, platform: Platform, run: str) -> bool:
        """Airflow takes an answer that comes before this, as no person's does, for a crash of the task that asked."""
        log = (platform.settings.state_dir / "logs" / "airflow-scheduler.log").read_text()
        events = [line for line in log.splitlines() if "Received executor event with state success" in line]
        return any(run in line and "'approve'" in line for line in events)

    def answer(self, platform: Platform, run: str, option: str) -> str:
        """Answer, and give the state in which the run ends."""
        path = f"dags/{names.QUARANTINE_DAG}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
        assert "would be sent: **5**" in platform.api.call("GET", path)["body"]
        platform.api.call("PATCH", path, {"chosen_options": [option]})
        return platform.await_run(names.QUARANTINE_DAG, run)

    def test_what_is_rejected_does_not_happen(self, platform: Platform, bad: Bad) -> None:
        run = self.started(platform, bad)
        assert self.answer(platform, run, "Reject") == "success"
        assert groups(platform)[bad.page_group]["open"] == 5

    def test_what_is_approved_happens_and_says_by_whom(self, platform: Platform, bad: Bad) -> None:
        run = self.started(platform, bad)
        assert landed(platform, bad.page) == 0
        assert self.answer(platform, run, "Approve") == "success"
        await_that(lambda: landed(platform, bad.page) == 5, "bronze to have the replayed events")
        group = groups(platform)[bad.page_group]
        assert (group["open"], group["replayed"]) == (0, 5)
        sql = f"SELECT DISTINCT decided_by AS who FROM ops.quarantine_records WHERE group_id = '{group['group_id']}'"
        assert clickhouse_rows(platform.settings, sql) == [{"who": platform.settings.airflow_user}]


def test_silver_has_every_replayed_event_once(platform: Platform, bad: Bad, replayed: dict[str, Any]) -> None:
    start = now().replace(minute=0, second=0, microsecond=0)
    params = {"from": start.isoformat(), "to": now().isoformat()}
    assert platform.run_to_the_end(names.medallion_dag("shop"), **params) == "success"
    ids = [row[0] for row in lake_rows(platform.settings, "silver", SOURCE, "SELECT event_id FROM t")]
    assert sorted(one for one in ids if one in set(bad.source)) == sorted(bad.source)
    assert not set(bad.user) & set(ids)
    sql = f"SELECT balances FROM ops.ledger FINAL WHERE source = '{SOURCE}' AND interval_end = "
    newest = f"(SELECT max(interval_end) FROM ops.ledger WHERE source = '{SOURCE}')"
    assert all(row["balances"] for row in clickhouse_rows(platform.settings, f"{sql}{newest}"))
