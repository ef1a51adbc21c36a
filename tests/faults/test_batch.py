"""The hourly DAG is killed half-way, runs beside itself, and beside maintenance: silver has every event once."""

from collections import Counter
from datetime import timedelta

from millrace import names
from tests.faults.driver import is_running
from tests.faults.load import Load
from tests.faults.reconcile import Counted, reconcile
from tests.faults.recovery import recovery
from tests.faults.services import kill_part
from tests.faults.supervised import Supervised
from tests.services.platform import await_that, now
from tests.services.truth import lake_rows

DAG = names.medallion_dag("lab")
HALF_WAY = "refine"


def silver_is_exact(supervised: Supervised, counted: Counted) -> None:
    rows = lake_rows(supervised.lab.settings, "silver", supervised.lab.source, "SELECT id FROM t")
    found, wanted = Counter(row[0] for row in rows), Counter(counted.first_of_each.keys())
    assert found == wanted, f"{(wanted - found).total()} missing, {(found - wanted).total()} too many"


def whole_hours() -> dict[str, str]:
    start = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    return {"from": start.isoformat(), "to": now().isoformat()}


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
    tasks = supervised.platform.api.call("GET", f"dags/{DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return [t["task_id"] for t in tasks if t["state"] == "running" and HALF_WAY in t["task_id"]]


def test_two_runs_of_the_same_hours_at_once(supervised: Supervised) -> None:
    with Load(supervised.lab) as load:
        supervised.running()
        load.flow(500)
        load.stop()
        counted = reconcile(supervised.lab, load, others=True)
        hours = whole_hours()
        runs = [supervised.platform.api.trigger(DAG, **hours) for _ in range(2)]
        states = [supervised.platform.await_run(DAG, run) for run in runs]
        assert states == ["success", "success"]
        silver_is_exact(supervised, counted)


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
