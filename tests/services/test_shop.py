"""The shop from simulator to ClickHouse: every event is counted once, late, duplicate and malformed ones included."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from millrace import names
from tests.services.platform import Platform, await_that, now
from tests.services.truth import Sent, clickhouse_rows, clickhouse_write, lake_count, lake_rows, last_count, read_topic

EVENTS = 6000
TOPIC = "user-events"
SERVED = ("daily_active_users", "events_per_source_daily", "conversion_rate_daily")
LAKE_TABLES = (
    ("silver", "user_events"),
    ("rejected", "user_events"),
    *(("gold", t) for t in ("fact_events", "dim_users", "dim_pages", "kpi_dau", "kpi_events_per_source")),
    ("gold", "kpi_conversion_rate"),
)


@dataclass(frozen=True)
class Fed:
    """What the simulator said, and what really lies in Kafka."""

    report: dict[str, Any]
    sent: list[Sent]
    before: int = 0
    """How many records other tests had sent."""

    @property
    def new(self) -> "Fed":
        """Only what the simulator sent."""
        return Fed(self.report, sorted(self.sent, key=lambda s: s.append_time)[self.before :])

    @property
    def good(self) -> list[Sent]:
        return [s for s in self.sent if is_good(s.event)]

    @property
    def bad(self) -> list[Sent]:
        return [s for s in self.sent if not is_good(s.event)]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Each good event once."""
        return list({s.event["event_id"]: s.event for s in self.good if s.event}.values())


def is_good(event: dict[str, Any] | None) -> bool:
    """The contract of user_events, written down a second time."""
    try:
        return (
            event is not None
            and bool(UUID(event["event_id"]))
            and type(event["user_id"]) is int
            and event["event_type"] in {"login", "click", "purchase", "logout"}
            and type(event["page"]) is str
            and event["source"] in {"web", "mobile"}
            and bool(event_time(event))
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def event_time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"]).astimezone(UTC)


@pytest.fixture(scope="module")
def fed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Fed:
    """Feed the shop once, and wait until landing and live have read all of it."""
    folder = tmp_path_factory.mktemp("feed")
    shares = {"late": 0.02, "duplicates": 0.03, "malformed": 0.02}
    before = len(read_topic(platform.settings, TOPIC))
    report = platform.simulate("user_events", folder, rate=500, seed=7, count=EVENTS, **shares)
    fed = Fed(report, read_topic(platform.settings, TOPIC), before)
    s, unique = platform.settings, len(fed.events)
    await_that(lambda: lake_count(s, "bronze", "user_events") >= len(fed.good), "bronze to have every good event")
    await_that(lambda: lake_count(s, "quarantine", "user_events") >= len(fed.bad), "quarantine to have every bad one")
    await_that(lambda: clickhouse_rows(s, "SELECT count() AS n FROM live.user_events")[0]["n"] >= unique, "live rows")
    return fed


def test_the_faults_were_sent(fed: Fed) -> None:
    kinds, new = fed.report["kinds"], fed.new
    assert fed.report["acked"] == fed.report["sent"] == len(new.sent)
    assert kinds["malformed"] == len(new.bad) > 0
    assert kinds["duplicate"] == len(new.good) - len(new.events) > 0
    assert kinds["late"] > 0


def test_every_good_record_is_in_bronze_once(platform: Platform, fed: Fed) -> None:
    rows = lake_rows(platform.settings, "bronze", "user_events", "SELECT kafka_partition, kafka_offset FROM t")
    assert sorted(rows) == sorted((s.partition, s.offset) for s in fed.good)


def test_every_bad_record_is_in_quarantine_once_with_its_bytes_and_a_reason(platform: Platform, fed: Fed) -> None:
    select = "SELECT kafka_partition, kafka_offset, value, reason FROM t"
    rows = lake_rows(platform.settings, "quarantine", "user_events", select)
    assert sorted((p, o, bytes(v)) for p, o, v, _ in rows) == sorted((s.partition, s.offset, s.value) for s in fed.bad)
    assert all(reason for *_, reason in rows)
    letters = read_topic(platform.settings, names.dead_letter_topic(TOPIC))
    assert Counter(letter.value for letter in letters) == Counter(s.value for s in fed.bad)


def test_the_quarantine_index_names_every_bad_record(platform: Platform, fed: Fed) -> None:
    sql = "SELECT kafka_partition AS p, kafka_offset AS o FROM ops.quarantine FINAL WHERE source = 'user_events'"

    def indexed() -> list[tuple[int, int]]:
        return sorted((row["p"], row["o"]) for row in clickhouse_rows(platform.settings, sql))

    wanted = sorted((s.partition, s.offset) for s in fed.bad)
    await_that(lambda: len(indexed()) >= len(wanted), "the quarantine index")
    assert indexed() == wanted


def test_live_has_every_event_once_and_no_raw_user(platform: Platform, fed: Fed) -> None:
    rows = clickhouse_rows(platform.settings, "SELECT event_id, toString(user_id) AS user FROM live.user_events")
    assert sorted(row["event_id"] for row in rows) == sorted(e["event_id"] for e in fed.events)
    assert not {row["user"] for row in rows} & {str(e["user_id"]) for e in fed.events}


def test_real_time_counts_are_exact(platform: Platform, fed: Fed) -> None:
    sql = "SELECT toString(window_start) AS at, event_type AS kind, event_count AS n FROM realtime.events_per_minute"
    rows = clickhouse_rows(platform.settings, sql)
    wanted = Counter((f"{event_time(e):%Y-%m-%d %H:%M}:00", e["event_type"]) for e in fed.events)
    assert {(row["at"], row["kind"]): row["n"] for row in rows} == dict(wanted)
    purchases = clickhouse_rows(platform.settings, "SELECT * FROM realtime.purchases_per_minute")
    assert len(purchases) == len({at for at, kind in wanted if kind == "purchase"})


def test_the_stream_model_reaches_clickhouse_and_its_topic(platform: Platform, fed: Fed) -> None:
    """Events later than the watermark may be left out; nothing else may, and nothing is counted twice."""
    on_time = len(fed.events) - fed.report["kinds"]["late"]
    sql = "SELECT sum(events) AS n FROM realtime.conversions_per_5_minutes"
    await_that(lambda: clickhouse_rows(platform.settings, sql)[0]["n"] >= on_time, "all windows")
    assert clickhouse_rows(platform.settings, sql)[0]["n"] <= len(fed.events)
    results = [json.loads(s.value or b"") for s in read_topic(platform.settings, "shop-conversions")]
    newest = {row["window_start"]: row["events"] for row in results}
    assert on_time <= sum(newest.values()) <= len(fed.events)


@pytest.fixture(scope="module")
def refined(platform: Platform, fed: Fed) -> dict[str, str]:
    """One run of the hourly DAG by hand over everything that was sent; the params of that run."""
    start = min(s.append_time for s in fed.sent).replace(minute=0, second=0, microsecond=0)
    params = {"from": start.isoformat(), "to": now().isoformat()}
    assert platform.run_to_the_end(names.medallion_dag("shop"), **params) == "success"
    return params


def test_silver_has_every_event_once(platform: Platform, fed: Fed, refined: dict[str, str]) -> None:
    rows = lake_rows(platform.settings, "silver", "user_events", "SELECT event_id, user_id FROM t")
    assert sorted(row[0] for row in rows) == sorted(e["event_id"] for e in fed.events)
    assert len({row[1] for row in rows}) == len({e["user_id"] for e in fed.events})
    assert not {str(row[1]) for row in rows} & {str(e["user_id"]) for e in fed.events}


def test_kpis_in_clickhouse_are_exact(platform: Platform, fed: Fed, refined: dict[str, str]) -> None:
    days = {f"{event_time(e):%Y-%m-%d}" for e in fed.events}
    for day in days:
        events = [e for e in fed.events if f"{event_time(e):%Y-%m-%d}" == day]
        where = f"WHERE event_date = '{day}'"
        [dau] = clickhouse_rows(platform.settings, f"SELECT dau_count AS n FROM gold.daily_active_users {where}")
        assert dau["n"] == len({e["user_id"] for e in events})
        sources = clickhouse_rows(
            platform.settings, f"SELECT source, event_count FROM gold.events_per_source_daily {where}"
        )
        assert {r["source"]: r["event_count"] for r in sources} == dict(Counter(e["source"] for e in events))
        [rate] = clickhouse_rows(platform.settings, f"SELECT conversion_rate FROM gold.conversion_rate_daily {where}")
        purchases = sum(e["event_type"] == "purchase" for e in events)
        assert rate["conversion_rate"] == pytest.approx(purchases / len(events))


def test_the_ledger_balances(platform: Platform, fed: Fed, refined: dict[str, str]) -> None:
    row, hours = last_count(platform.settings, "user_events")
    assert row["kafka_acked"] == len(fed.sent) == row["bronze"] + row["quarantined"]
    assert row["bronze"] == len(fed.good) == row["silver"] + row["duplicates"] + row["rejected"]
    assert row["silver"] == len(fed.events) == row["gold"] == row["live"]
    assert row["served"] > 0
    assert (row["balances"], row["problems"], row["doubled"]) == (True, [], 0)
    for what in ("kafka_acked", "bronze", "quarantined", "silver", "duplicates", "rejected"):
        assert sum(hour[what] for hour in hours) == row[what], f"{what}, hour by hour"
    assert all(hour["balances"] for hour in hours)


def test_a_table_that_lost_rows_alerts_until_it_has_them_again(
    platform: Platform, fed: Fed, refined: dict[str, str]
) -> None:
    still_open = "SELECT message FROM ops.alerts_open WHERE kind = 'imbalance' AND subject LIKE 'user_events%'"
    assert clickhouse_rows(platform.settings, still_open) == []
    clickhouse_write(platform.settings, "TRUNCATE TABLE gold.daily_active_users")
    recount = {"source": "user_events", **refined}
    assert platform.run_to_the_end(names.LEDGER_DAG, **recount) == "failed"
    alerts = clickhouse_rows(platform.settings, still_open)
    assert alerts
    assert all("clickhouse.gold.daily_active_users holds 0 rows where the lake has" in a["message"] for a in alerts)
    assert platform.run_to_the_end(names.medallion_dag("shop"), **refined) == "success"
    assert platform.run_to_the_end(names.LEDGER_DAG, **recount) == "success"
    assert clickhouse_rows(platform.settings, still_open) == []


def test_our_figures_are_there_for_prometheus(platform: Platform, fed: Fed, refined: dict[str, str]) -> None:
    answer = requests.get(f"{platform.settings.airflow_url}/millrace/metrics", timeout=30)
    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line.startswith("millrace_"))
    for service in ("clickhouse", "postgres", "kafka"):
        assert figures[f'millrace_up{{service="{service}"}}'] == "1.0"
    assert figures['millrace_ledger_unbalanced_intervals{source="user_events"}'] == "0.0"
    assert figures['millrace_landing_unread_records{source="user_events"}'] == "0.0"
    assert float(figures['millrace_source_error_ratio{source="user_events"}']) == pytest.approx(
        len(fed.bad) / len(fed.sent), abs=0.01
    )


def test_running_an_interval_again_changes_nothing(platform: Platform, fed: Fed, refined: dict[str, str]) -> None:
    before = snapshot(platform)
    for _ in range(2):
        assert platform.run_to_the_end(names.medallion_dag("shop"), **refined) == "success"
        assert snapshot(platform) == before


def snapshot(platform: Platform) -> dict[str, list[str]]:
    """Every row and column of everything that the hourly DAG writes."""
    lake = {
        f"{layer}.{table}": sorted(map(repr, lake_rows(platform.settings, layer, table, "SELECT * FROM t")))
        for layer, table in LAKE_TABLES
    }
    served = {t: clickhouse_rows(platform.settings, f"SELECT * FROM gold.{t} ORDER BY ALL") for t in SERVED}
    return lake | {name: list(map(repr, rows)) for name, rows in served.items()}


def test_every_stage_passed_a_gate(platform: Platform, refined: dict[str, str]) -> None:
    sql = "SELECT DISTINCT layer || '.' || table AS name FROM ops.gate_results FINAL"
    judged = {row["name"] for row in clickhouse_rows(platform.settings, sql)}
    assert judged >= {"bronze.user_events", "silver.user_events", "gold.fact_events", "gold.kpi_dau"}
    pages = list(Path(platform.settings.state_dir, "data_docs").rglob("*.html"))
    assert pages
    assert max(p.stat().st_mtime for p in pages) > (now() - timedelta(hours=1)).timestamp()
