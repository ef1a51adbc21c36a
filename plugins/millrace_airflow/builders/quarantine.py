"""The DAG that replays or discards quarantined records once a person has approved of what its dry run shows."""

from datetime import timedelta
from typing import get_args

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.quarantine.request import Action, Stage
from millrace_airflow.builders import documents
from millrace_airflow.builders.defaults import PLATFORM_OWNER, dag_arguments
from millrace_airflow.operators.quarantine_steps import (
    APPROVE,
    CARRY_OUT,
    DRY_RUN,
    QuarantineCarryOutOperator,
    QuarantineDryRunOperator,
)
from millrace_airflow.run_interval import moment_param

PATIENCE = timedelta(days=1)
"""How long a plan waits for an answer; the lake keeps the version that it saw for twice as long."""


def quarantine_dag(catalog: Catalog) -> DAG | None:
    """Dry run, approval, application; none while there is no source."""
    if not catalog.sources:
        return None
    with DAG(
        dag_id=names.QUARANTINE_DAG,
        description="Replays or discards quarantined records, after a dry run and a person's approval.",
        schedule=None,
        doc_md=documents.QUARANTINE,
        params=_params(catalog),
        **dag_arguments(PLATFORM_OWNER, names.BATCH_POOL, ["quarantine", "operate"]),
    ) as dag:
        dry_run = QuarantineDryRunOperator(task_id=DRY_RUN, doc_md=documents.QUARANTINE)
        approve = ApprovalOperator(
            task_id=APPROVE,
            subject="{{ params.action }} quarantined records of {{ params.source }}?",
            body=f"{{{{ ti.xcom_pull(task_ids='{DRY_RUN}')['text'] }}}}",
            defaults=ApprovalOperator.REJECT,
            response_timeout=PATIENCE,
            doc_md=documents.QUARANTINE,
        )
        dry_run >> approve >> QuarantineCarryOutOperator(task_id=CARRY_OUT, doc_md=documents.QUARANTINE)
    return dag


def _params(catalog: Catalog) -> dict[str, Param]:
    sources = [source.name for source in catalog.sources]
    return {
        "source": Param(sources[0], type="string", enum=sources, title="Source"),
        "stage": Param("landing", type="string", enum=list(get_args(Stage)), title="Refused by"),
        "action": Param("replay", type="string", enum=list(get_args(Action)), title="Action"),
        "group": _text("Group", "Id of a group, from the page Millrace or `millrace quarantine list`. Empty: all."),
        "reason": _text("Reason contains", "Only records whose reason contains this text. Empty: all."),
        "fix": _text("Fix", "Spark SQL expression that gives the new value. Empty: the records go as they were."),
        "why": _text("Why", "For those who look later; to discard records, it must be given."),
        "from": moment_param("From", "Earliest append time, inclusive. Empty: the beginning."),
        "to": moment_param("To", "Latest append time, exclusive. Empty: now."),
        "limit": Param(None, type=["null", "integer"], minimum=1, title="At most", description="The oldest so many."),
        "again": Param(
            False, type="boolean", title="Again", description="Take also what was replayed or discarded before."
        ),
    }


def _text(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], title=title, description=description)
