"""A medallion DAG per domain: bronze to silver to gold, every hour."""

from millrace.check.healthy import healthy_catalog
from millrace.settings import settings
from millrace_airflow.builders.medallion import medallion_dags

medallion_dags(healthy_catalog(settings().project_dir))
