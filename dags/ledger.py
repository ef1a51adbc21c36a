"""The DAG that counts the ledger of a source again."""

from millrace.settings import settings
from millrace_airflow.builders.ledger import ledger_dags
from millrace_airflow.healthy_catalog import healthy_catalog

ledger_dags(healthy_catalog(settings().project_dir))
