"""A failed task opens an alert, and its success resolves it."""

from types import SimpleNamespace

import pytest

from millrace.errors import DataError


@pytest.fixture
def alerts(monkeypatch):
    """What the callbacks raise and resolve."""
    import millrace.alerting as module

    seen = []
    monkeypatch.setattr(
        module, "alert", lambda _, **said: seen.append((said["kind"], said["subject"], said["message"]))
    )
    monkeypatch.setattr(module, "all_clear", lambda _, kind, subject: seen.append((kind, subject)))
    return seen


def context(error=None, try_number=1, params=None):
    ti = SimpleNamespace(dag_id="shop_medallion", task_id="gate", run_id="r1", try_number=try_number)
    return {"ti": ti, "params": params if params is not None else {"from": None, "to": None}, "exception": error}


def test_a_failure_names_task_run_and_error(alerts):
    from millrace_airflow.failures import task_failed

    task_failed(context(DataError("2 rows broke a rule")))
    assert alerts == [("task_failed", "shop_medallion.gate, r1", "DataError: 2 rows broke a rule")]


def test_runs_that_follow_each_other_share_an_alert(alerts):
    from millrace_airflow.failures import task_failed, task_succeeded

    task_failed(context(None, params={}))
    task_succeeded(context(params={}))
    assert [said[:2] for said in alerts] == [("task_failed", "shop_medallion.gate")] * 2
    assert "killed" in alerts[0][2]


def test_a_repaired_run_resolves_its_own_alert_and_a_first_try_has_none(alerts):
    from millrace_airflow.failures import task_succeeded

    task_succeeded(context())
    assert alerts == []
    task_succeeded(context(try_number=2))
    assert alerts == [("task_failed", "shop_medallion.gate, r1")]


def test_a_stream_group_that_is_down_alerts_by_itself(alerts):
    from millrace_airflow.failures import task_failed
    from millrace_airflow.supervision import StreamGroupDown

    task_failed(context(StreamGroupDown("gave up")))
    assert alerts == []


def test_a_skip_is_a_success_where_work_was_done_already_and_nowhere_else(demo):
    """A table that maintenance was told to leave out has not been looked after."""
    from millrace_airflow.builders.maintenance import maintenance_dag
    from millrace_airflow.builders.medallion import medallion_dag
    from millrace_airflow.failures import task_succeeded

    stage = medallion_dag(demo, "demo").get_task("gold_daily_orders.stage")
    assert task_succeeded in stage.on_skipped_callback
    assert not any(task.on_skipped_callback for task in maintenance_dag(demo).tasks)
