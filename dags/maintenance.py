"""The daily upkeep of the lake, as an Airflow DAG."""

from millrace.settings import settings
from millrace_airflow.builders.maintenance import maintenance_dag
from millrace_airflow.healthy_catalog import healthy_catalog

maintenance_dag(healthy_catalog(settings().project_dir))
