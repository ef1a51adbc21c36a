"""The hourly DAG is killed half-way, runs beside itself, and beside maintenance: silver has every event once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from millrace import names
from tests.faults.driver import is_running
from tests.faults.lab import Lab
from tests.faults.load import Load, encoded, tick
from tests.faults.reconcile import Counted, reconcile
from tests.faults.recovery import recovery
from tests.faults.services import kill_part
from tests.faults.supervised import Supervised
from tests.faults.transactions import committed
from tests.services.platform import await_backfill, await_that, now
from tests.services.truth import lake_rows, last_count

DAG = names.medallion_dag("lab")
HALF_WAY = {"stage", "gate", "publish"}
PAST, EACH = 2, 200
"""Hours, and events in each."""


def silver_is_exact(supervised: Supervised, counted: Counted) -> None:
    rows = lake_rows(supervised.lab.settings, "silver", supervised.lab.source, "SELECT id FROM t")
    found, wanted = Counter(row[0] for row in rows), Counter(counted.first_of_each.keys())
    assert found == wanted, f"{(wanted - found).total()} missing, {(found - wanted).total()} too many"


def this_hour() -> datetime:
    return now().replace(minute=0, second=0, microsecond=0)


@contextmanager
def dated_by_producers(lab: Lab) -> Iterator[None]:
    """Let producers date their records, so that past hours can be filled."""
    _stamp(lab, "CreateTime")
    yield
    _stamp(lab, "LogAppendTime")


def _stamp(lab: Lab, kind: str) -> None:
    entry = ConfigEntry("message.timestamp.type", kind, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, lab.topic, incremental_configs=[entry])
    kafka = AdminClient({"bootstrap.servers": lab.settings.kafka_bootstrap})
    for future in kafka.incremental_alter_configs([resource]).values():
        future.result(20)


def whole_hours() -> dict[str, str]:
    return {"from": (this_hour() - timedelta(hours=PAST)).isoformat(), "to": now().isoformat()}


def test_killed_half_way(supervised: Supervised) -> None:
    """The batch server dies while a run is refining; the run, or the next one, ends well."""
    with Load(supervised.lab) as load:
        supervised.running()
        load.flow(500)
        load.stop()
        counted = reconcile(supervised.lab, load, others=True)
        run = supervised.platform.api.trigger(DAG, **whole_hours())
        await_that(lambda: running_tasks(supervised, run), "a task that works on the batch server", 180)
        killed = kill_part(supervised.stack, "spark-connect")
        assert not is_running(killed)
        supervised.platform.await_run(DAG, run)
        assert supervised.platform.run_to_the_end(DAG, **whole_hours()) == "success"
        silver_is_exact(supervised, counted)


def running_tasks(supervised: Supervised, run: str) -> list[str]:
    tasks = supervised.platform.api.tasks(DAG, run)
    return [t["task_id"] for t in tasks if t["state"] == "running" and t["task_id"].split(".")[-1] in HALF_WAY]


def test_the_same_id_with_other_content_is_flagged(supervised: Supervised) -> None:
    """Silver keeps the first; the other is among the rejected, and in the index of the quarantine."""
    with Load(supervised.lab) as load:
        supervised.running()
        first = tick(1)
        load.send(encoded(first), partition=1)
        load.flow(100)
        load.send(encoded(first), partition=1)
        load.send(encoded(first | {"number": 2}), partition=1)
        load.flow(100)
        load.stop()
        reconcile(supervised.lab, load, others=True)
        assert supervised.platform.run_to_the_end(DAG, **whole_hours()) == "success"
        lab, only = supervised.lab, f"WHERE id = '{first['id']}'"
        assert lake_rows(lab.settings, "silver", lab.source, f"SELECT number FROM t {only}") == [(1,)]
        [(number, reason)] = lake_rows(lab.settings, "rejected", lab.source, f"SELECT number, reason FROM t {only}")
        assert number == 2
        assert "other content" in reason


def test_maintenance_under_load(supervised: Supervised) -> None:
    with Load(supervised.lab) as load:
        supervised.running()
        load.flow(500)
        recovery(supervised.lab, load, within=180)
        assert supervised.platform.run_to_the_end(names.MAINTENANCE_DAG) == "success"
        assert supervised.refine() == "success"
        load.stop()
        counted = reconcile(supervised.lab, load, others=True)
        assert supervised.refine() == "success"
        silver_is_exact(supervised, counted)


def test_transactions(supervised: Supervised) -> None:
    """Offsets of aborted records, and of the marks that end transactions, are no records: the ledger balances."""
    with Load(supervised.lab) as load:
        supervised.running()
        assert committed(supervised.lab, 5)
        load.flow(300)
        load.stop()
        counted = reconcile(supervised.lab, load, others=True)
        assert supervised.refine() == "success"
        silver_is_exact(supervised, counted)
        whole, _ = last_count(supervised.lab.settings, supervised.lab.source)
        assert whole["kafka_acked"] == whole["bronze"] + whole["quarantined"]


def test_beside_a_backfill_of_the_same_hours(supervised: Supervised) -> None:
    """Airflow's own backfill of two past hours, and a run by hand over both of them, at once.

    The last of this lab: from here on its topic has old records behind new ones.
    """
    start = this_hour() - timedelta(hours=PAST)
    with Load(supervised.lab) as load:
        supervised.running()
        with dated_by_producers(supervised.lab):
            for number in range(EACH * PAST):
                at = start + timedelta(hours=number / EACH)
                load.send(encoded(tick(number, at=at.isoformat())), at=at)
            load.flow(100)
        load.stop()
        counted = reconcile(supervised.lab, load, others=True)
        api = supervised.platform.api
        last = start + timedelta(hours=PAST - 1)
        backfill = api.backfill(DAG, start, last, reprocess="completed", max_active_runs=2)
        by_hand = {"from": start.isoformat(), "to": this_hour().isoformat()}
        refined_but_for_the_ledger(supervised, **by_hand)
        await_backfill(api, backfill)
        refined_but_for_the_ledger(supervised, **whole_hours())
        silver_is_exact(supervised, counted)


def refined_but_for_the_ledger(supervised: Supervised, **hours: str) -> None:
    """It asks Kafka for an hour's offsets by time, which do not rise where producers date; `done` comes after it."""
    run = supervised.platform.api.trigger(DAG, **hours)
    supervised.platform.await_run(DAG, run)
    tasks = supervised.platform.api.tasks(DAG, run)
    others = [t for t in tasks if t["task_id"] != "done" and not t["task_id"].startswith("ledger.")]
    assert {t["state"] for t in others} <= {"success", "skipped"}
