"""What sources and models generate, written down: a change of the builders shows as a readable diff.

`pytest tests/dags --snapshot-update` accepts the change.
"""

import json
from pathlib import Path

import pytest

from millrace import names

SNAPSHOTS = Path(__file__).parent / "snapshots"


def _medallion(catalog):
    from millrace_airflow.builders.medallion import medallion_dag

    return medallion_dag(catalog, "demo")


def _stream_group(catalog):
    from millrace_airflow.builders.stream_groups import stream_group_dag

    return stream_group_dag(catalog, names.STREAM_GROUP)


def _stream_control(catalog):
    from millrace_airflow.builders.stream_control import stream_control_dag

    return stream_control_dag([names.STREAM_GROUP])


def _maintenance(catalog):
    from millrace_airflow.builders.maintenance import maintenance_dag

    return maintenance_dag(catalog)


def _quarantine(catalog):
    from millrace_airflow.builders.quarantine import quarantine_dag

    return quarantine_dag(catalog)


def _ledger(catalog):
    from millrace_airflow.builders.ledger import ledger_dag

    return ledger_dag(catalog)


@pytest.mark.parametrize("build", [_medallion, _stream_group, _stream_control, _maintenance, _quarantine, _ledger])
def test_generated_dag_is_as_written_down(build, demo, request):
    dag = build(demo)
    path = SNAPSHOTS / f"{dag.dag_id}.json"
    seen = json.dumps(_described(dag), indent=2, sort_keys=True) + "\n"
    if request.config.getoption("--snapshot-update"):
        path.write_text(seen)
    assert json.loads(path.read_text()) == json.loads(seen), f"see {path}; --snapshot-update accepts it"


def _described(dag):
    return {
        "schedule": f"{type(dag.timetable).__name__} {getattr(dag.timetable, '_expression', '')}".strip(),
        "owners": sorted(dag.owner.split(", ")),
        "tags": sorted(dag.tags),
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {task.task_id: _described_task(task) for task in dag.tasks},
    }


def _described_task(task):
    step = getattr(task, "step", None)
    return {
        "does": f"{step.module}.{step.function}({task.table})" if step else type(task).__name__,
        "owner": task.owner,
        "pool": task.pool,
        "after": sorted(task.upstream_task_ids),
        "when": task.trigger_rule.value,
        "reads": sorted(asset.uri for asset in task.inlets),
        "makes": sorted(asset.uri for asset in task.outlets),
    }
