"""A medallion DAG per domain: bronze to silver to gold, every hour."""

from millrace.settings import settings
from millrace_airflow.builders.medallion import medallion_dags
from millrace_airflow.healthy_catalog import healthy_catalog

medallion_dags(healthy_catalog(settings().project_dir))
