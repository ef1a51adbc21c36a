"""The DAG of a stream group: one task that supervises its Spark application, deferred for as long as it runs."""

from datetime import timedelta

from airflow.sdk import DAG

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace_airflow.builders import documents
from millrace_airflow.builders.assets import table_asset
from millrace_airflow.builders.defaults import PLATFORM_OWNER, dag_arguments
from millrace_airflow.operators.stream_group import StreamGroupOperator

PERSISTENT = 100_000
"""Retries: what fails here is Airflow or PostgreSQL, and the streams must not stay unwatched once they are back."""


def stream_group_dag(catalog: Catalog, group: str) -> DAG:
    with DAG(
        dag_id=names.stream_dag(group),
        description="Keeps the streaming application running: launches, watches, restarts, replaces.",
        schedule="@continuous",
        doc_md=documents.of_stream_group(catalog, group),
        **dag_arguments(PLATFORM_OWNER, names.STREAM_POOL, ["streams"]),
    ) as dag:
        StreamGroupOperator(
            task_id="supervise",
            group=group,
            retries=PERSISTENT,
            retry_delay=timedelta(seconds=5),
            retry_exponential_backoff=0,
            outlets=[table_asset("bronze", source.name) for source in catalog.sources],
            doc_md=documents.of_stream_group(catalog, group),
        )
    return dag
