"""The DAG that counts again, on demand, what came in for a source and what became of it."""

from airflow.sdk import DAG, Param

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace_airflow import steps
from millrace_airflow.builders import documents
from millrace_airflow.builders.defaults import PLATFORM_OWNER, dag_arguments
from millrace_airflow.operators.batch_step import BatchStepOperator
from millrace_airflow.operators.landing_wait import LandingWaitOperator
from millrace_airflow.run_interval import interval_params

_SOURCE = "{{ params.source }}"


def ledger_dags(catalog: Catalog) -> list[DAG]:
    """The DAG, unless there is no source to count."""
    return [ledger_dag(catalog)] if catalog.sources else []


def ledger_dag(catalog: Catalog) -> DAG:
    """Wait until landing has passed the end of what was asked for, then count hour by hour."""
    sources = sorted(source.name for source in catalog.sources)
    chosen = Param(sources[0], type="string", enum=sources, title="Source", description="Whose lines to write anew.")
    with DAG(
        dag_id=names.LEDGER_DAG,
        description="Counts again what came in for a source, and what became of it.",
        schedule=None,
        doc_md=documents.LEDGER,
        params={"source": chosen} | interval_params(),
        **dag_arguments(PLATFORM_OWNER, names.BATCH_POOL, ["ledger", "operate"]),
    ) as dag:
        wait = LandingWaitOperator(task_id="wait_complete", source=_SOURCE, doc_md=documents.LEDGER)
        wait >> BatchStepOperator(task_id="recount", step=steps.RECOUNT_LEDGER, table=_SOURCE, doc_md=documents.LEDGER)
    return dag
