"""Loaded by each Airflow process at its start (the name is Airflow's): lets task processes start with warm imports."""

import importlib
import sys

SLOW_IMPORTS = (
    "great_expectations", "pyspark.sql.connect.session", "pyspark.sql.connect.functions", "pandas",
    "clickhouse_connect", "confluent_kafka", "psycopg", "pydantic_settings", "sqlglot",
    "spark_jobs.gold", "spark_jobs.ledger", "spark_jobs.sync", "millrace_airflow.builders.medallion",
)  # fmt: skip
"""LocalExecutor forks its task processes from the scheduler: what that imported once, no task imports again."""

__all__: list[str] = []

if "scheduler" in sys.argv:
    for _module in SLOW_IMPORTS:
        importlib.import_module(_module)
