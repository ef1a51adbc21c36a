"""The daily upkeep of the lake, as an Airflow DAG."""

from millrace.check.healthy import healthy_catalog
from millrace.settings import settings
from millrace_airflow.builders.maintenance import maintenance_dag

maintenance_dag(healthy_catalog(settings().project_dir))
