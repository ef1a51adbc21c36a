"""Replay of quarantined records with an approval, as an Airflow DAG."""

from millrace.check.healthy import healthy_catalog
from millrace.settings import settings
from millrace_airflow.builders.quarantine import quarantine_dag

quarantine_dag(healthy_catalog(settings().project_dir))
