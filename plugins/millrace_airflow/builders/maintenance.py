"""The daily DAG that looks after the tables that the batch writes; the stream application looks after bronze."""

from airflow.sdk import DAG, Param, TriggerRule

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace_airflow import steps
from millrace_airflow.builders import documents
from millrace_airflow.builders.defaults import PLATFORM_OWNER, dag_arguments, domain_owner
from millrace_airflow.operators.batch_step import BatchStepOperator
from millrace_airflow.operators.maintenance_step import MaintenanceStepOperator
from millrace_airflow.timetable import GaplessTimetable


def maintenance_dag(catalog: Catalog) -> DAG:
    """A task per silver and gold table, then one that removes what runs have left aside."""
    tables = [f"silver.{s.name}" for s in catalog.sources] + [f"gold.{m.name}" for m in catalog.gold]
    with DAG(
        dag_id=names.MAINTENANCE_DAG,
        description="Compacts and vacuums silver and gold, and removes old staging folders.",
        schedule=GaplessTimetable("30 3 * * *", "UTC"),
        doc_md=documents.MAINTENANCE,
        params={
            "tables": Param(
                [],
                type="array",
                items={"type": "string", "enum": tables},
                examples=tables,
                title="Tables",
                description="Look after these only, e.g. silver.user_events. Empty: all.",
            )
        },
        **dag_arguments(PLATFORM_OWNER, names.BATCH_POOL, ["maintenance"]),
    ) as dag:
        clean = BatchStepOperator(
            task_id="clean_staging",
            step=steps.CLEAN_STAGING,
            table="",
            trigger_rule=TriggerRule.ALL_DONE,
            doc_md=documents.MAINTENANCE,
        )
        _upkeep(catalog) >> clean
    return dag


def _upkeep(catalog: Catalog) -> list[MaintenanceStepOperator]:
    tasks = [
        MaintenanceStepOperator(
            task_id=f"silver_{source.name}",
            step=steps.MAINTAIN_SOURCE,
            layer="silver",
            table=source.name,
            owner=source.owner,
            doc_md=documents.of_source(catalog, source),
        )
        for source in catalog.sources
    ]
    return tasks + [
        MaintenanceStepOperator(
            task_id=f"gold_{model.name}",
            step=steps.MAINTAIN_MODEL,
            layer="gold",
            table=model.name,
            owner=model.owner or domain_owner(catalog, model.domain),
            doc_md=documents.of_model(catalog, model),
        )
        for model in catalog.gold
    ]
