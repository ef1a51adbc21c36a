"""Replay of quarantined records with an approval, as an Airflow DAG."""

from millrace.settings import settings
from millrace_airflow.builders.quarantine import quarantine_dag
from millrace_airflow.healthy_catalog import healthy_catalog

quarantine_dag(healthy_catalog(settings().project_dir))
