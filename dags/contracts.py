"""Shows broken contracts as the import error of this file, which holds no DAG; the domains that are whole go on."""

from millrace.contracts.catalog import read_catalog
from millrace.settings import settings

AIRFLOW_READS_THIS_FILE = "because it names airflow and dag"

read_catalog(settings().project_dir)
