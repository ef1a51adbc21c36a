"""A step of the batch as an Airflow task: what it calls, what it hands on, what it cleans up."""

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace

import pytest

from millrace.errors import DataError


@dataclass(frozen=True)
class Result:
    rows: int = 7
    gate: str = "g1"
    at: datetime = datetime(2026, 1, 31, tzinfo=UTC)
    partitions: tuple[str, ...] = ("2026-01-30", "2026-01-31")
    rules: tuple[str, ...] = field(default=("long",) * 1000, repr=False)


class Session:
    """Stands for a Spark session: notes what is done to it."""

    def __init__(self):
        self.stopped = self.interrupted = False

    def stop(self):
        self.stopped = True

    def interruptAll(self):  # noqa: N802  Spark's name
        self.interrupted = True


@pytest.fixture
def steps(monkeypatch):
    """A module of steps of our own, and a session instead of Spark's."""
    from millrace_airflow.steps import Step
    from spark_jobs.edges import session as session_module

    module, session, calls = ModuleType("own_steps"), Session(), []

    def stage(run, table):
        calls.append((run.run_id, str(run.interval), table))
        return Result()

    def refuse(run, table):
        raise DataError(f"{table} broke a rule")

    module.stage, module.refuse, module.nothing = stage, refuse, lambda *_: None
    monkeypatch.setitem(sys.modules, "own_steps", module)
    monkeypatch.setattr(session_module, "connect_session", lambda _: session)
    return SimpleNamespace(step=lambda name: Step("own_steps", name), session=session, calls=calls)


def context(**params):
    hour = datetime(2026, 1, 31, 9, tzinfo=UTC)
    run = SimpleNamespace(
        run_type="scheduled", run_id="r1", data_interval_start=hour, data_interval_end=hour.replace(hour=10),
        run_after=hour.replace(hour=10),
    )  # fmt: skip
    return {"dag_run": run, "ti": SimpleNamespace(xcom_pull=lambda task_ids: None), "params": params}


def operator(steps, name, task_id="t"):
    from millrace_airflow.operators.batch_step import BatchStepOperator

    return BatchStepOperator(task_id=task_id, step=steps.step(name), table="user_events")


def test_it_calls_the_step_and_hands_on_ids_and_counts(steps):
    handed_on = operator(steps, "stage").execute(context())
    assert steps.calls == [("r1", "2026-01-31T09:00:00+00:00 to 2026-01-31T10:00:00+00:00", "user_events")]
    assert handed_on == {"rows": 7, "gate": "g1", "partitions": 2}
    assert steps.session.stopped


def test_a_broken_contract_of_another_domain_stops_no_step(steps, tmp_path, monkeypatch):
    from millrace import settings as module

    broken = tmp_path / "sources" / "other" / "visits" / "source.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    chosen = module.settings().model_copy(update={"project_dir": tmp_path})
    monkeypatch.setattr(module, "settings", lambda: chosen)
    assert operator(steps, "stage").execute(context())["rows"] == 7


def test_a_step_may_have_nothing_to_tell(steps):
    assert operator(steps, "nothing").execute(context()) == {}


def test_the_session_ends_with_a_failed_step(steps):
    with pytest.raises(DataError, match="broke a rule"):
        operator(steps, "refuse").execute(context())
    assert steps.session.stopped


def test_killing_the_task_cancels_its_work(steps):
    task = operator(steps, "stage")
    task.on_kill()
    task.execute(context())
    task.on_kill()
    assert steps.session.interrupted


def test_every_task_of_a_settled_model_is_skipped(steps):
    from airflow.sdk import DAG, TaskGroup
    from airflow.sdk.exceptions import DownstreamTasksSkipped

    from millrace_airflow.operators.settled_models import SettledModelsOperator

    with DAG("d"):
        task = SettledModelsOperator(task_id="t", step=steps.step("stage"), table="user_events")
        for model in ("a", "a_b", "c"):
            with TaskGroup(f"gold_{model}"):
                task >> operator(steps, "stage", "stage") >> operator(steps, "stage", "sync")
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        task.conclude(SimpleNamespace(models=("a", "c")))
    assert skipped.value.tasks == ["gold_a.stage", "gold_a.sync", "gold_c.stage", "gold_c.sync"]
    task.conclude(SimpleNamespace(models=()))


@pytest.mark.parametrize(("tables", "runs"), [([], True), (["silver.user_events"], True), (["gold.kpi_dau"], False)])
def test_maintenance_looks_after_the_chosen_tables(steps, tables, runs):
    from airflow.sdk.exceptions import AirflowSkipException

    from millrace_airflow.operators.maintenance_step import MaintenanceStepOperator

    task = MaintenanceStepOperator(task_id="t", step=steps.step("stage"), layer="silver", table="user_events")
    if runs:
        assert task.execute(context(tables=tables))["rows"] == 7
    else:
        with pytest.raises(AirflowSkipException, match=r"gold\.kpi_dau only"):
            task.execute(context(tables=tables))


@pytest.mark.parametrize(
    ("error", "said"),
    [(DataError("x"), "The data broke a rule"), (OSError("x"), "make doctor"), (None, "make doctor")],
)
def test_a_failed_task_says_what_to_do(error, said):
    from millrace_airflow.failures import next_step

    assert said in next_step(error)
