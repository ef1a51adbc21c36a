"""What a stack does once its parts answer: topics and tables, and the first numbers without waiting for an hour."""

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from deploy.local.airflow_api import AirflowApi
from deploy.local.condition import came_true
from deploy.local.stack import Stack
from deploy.local.stream_groups import restore
from millrace.check.healthy import healthy_catalog, streamable
from millrace.control.database import connect
from millrace.control.offsets import committed_offsets
from millrace.deploy import deploy
from millrace.errors import TransientError
from millrace.names import medallion_dag

PARSING_SECONDS = 90.0
LANDING_SECONDS = 90.0


def create_tables(stack: Stack) -> str:
    """Topics, subjects, schemas and tables, as the catalog says; then the stream group may run again.

    What a broken contract or a service keeps from it is told, and holds up nothing else.
    """
    catalog, problems = streamable(stack.settings.project_dir)
    retrying = Retrying(
        stop=stop_after_delay(60), wait=wait_exponential(0.5, max=4), retry=retry_if_exception_type(TransientError)
    )
    refused = retrying(deploy, stack.settings, catalog)
    restore(stack)
    told = f"{len(catalog.sources)} sources, {len(catalog.realtime)} real-time, {len(catalog.gold)} gold models"
    broken = (problem.render(stack.settings.project_dir) for problem in problems)
    return "; ".join([told, *broken, *(f"without {source}: {error}" for source, error in refused.items())])


def create_lake_tables(stack: Stack) -> str:
    """Silver and gold, in the lake and in ClickHouse, so that a query before the first run finds empty tables."""
    from spark_jobs.deploy_gold import deploy_gold  # its imports cost seconds; only this step pays them
    from spark_jobs.edges.session import connect_session

    catalog, spark = healthy_catalog(stack.settings.project_dir), connect_session(stack.settings)
    try:
        deploy_gold(spark, stack.settings, catalog)
    finally:
        spark.stop()
    return f"{len(catalog.sources)} silver and {len(catalog.gold)} gold tables"


def trigger_medallion(stack: Stack) -> str:
    """Run each domain's medallion DAG by hand for the hour that runs, if nobody has yet and there is data."""
    catalog = healthy_catalog(stack.settings.project_dir)
    api = AirflowApi(stack.settings)
    dags = [medallion_dag(domain) for domain in sorted({source.domain for source in catalog.sources})]
    if not came_true(lambda: all(api.has_dag(dag) for dag in dags), PARSING_SECONDS):
        return f"Airflow does not show {', '.join(dags)} yet; trigger by hand"
    waiting = [dag for dag in dags if not api.runs(dag, run_type="manual")]
    if not waiting:
        return "was triggered before"
    with connect(stack.settings) as conn:
        if not came_true(
            lambda: any(sum(committed_offsets(conn, s.name).values()) for s in catalog.sources), LANDING_SECONDS
        ):
            return f"nothing has landed in {LANDING_SECONDS:.0f} s; trigger {', '.join(waiting)} by hand"
    return ", ".join(f"{dag}: {api.trigger(dag)}" for dag in waiting)
