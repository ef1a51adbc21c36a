"""The DAG by which an operator starts, pauses and drains a stream group from the UI."""

from typing import get_args

from airflow.sdk import DAG, Param

from millrace import names
from millrace.control.groups import Desired
from millrace_airflow.builders import documents
from millrace_airflow.builders.defaults import PLATFORM_OWNER, dag_arguments
from millrace_airflow.operators.stream_wish import StreamWishOperator


def stream_control_dag(groups: list[str]) -> DAG:
    """One task that records the wished state; supervision and the driver follow it within seconds."""
    with DAG(
        dag_id=names.STREAM_CONTROL_DAG,
        description="Start, pause or drain a stream group.",
        schedule=None,
        doc_md=documents.STREAM_CONTROL,
        params={
            "group": Param(groups[0], type="string", enum=groups, title="Stream group"),
            "desired": Param("running", type="string", enum=list(get_args(Desired)), title="Desired state"),
        },
        **dag_arguments(PLATFORM_OWNER, names.STREAM_POOL, ["streams", "operate"]),
    ) as dag:
        StreamWishOperator(task_id="set_desired", doc_md=documents.STREAM_CONTROL)
    return dag
