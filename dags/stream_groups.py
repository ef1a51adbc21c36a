"""A supervising DAG per stream group, and the one by which an operator controls them."""

from millrace import names
from millrace.check.healthy import healthy_catalog
from millrace.settings import settings
from millrace_airflow.builders.stream_control import stream_control_dag
from millrace_airflow.builders.stream_groups import stream_group_dag

stream_group_dag(healthy_catalog(settings().project_dir), names.STREAM_GROUP)
stream_control_dag([names.STREAM_GROUP])
