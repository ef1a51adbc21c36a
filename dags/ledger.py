"""The DAG that counts the ledger of a source again."""

from millrace.check.healthy import healthy_catalog
from millrace.settings import settings
from millrace_airflow.builders.ledger import ledger_dags

ledger_dags(healthy_catalog(settings().project_dir))
