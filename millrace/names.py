"""The one place where names are spelled: topics, tables, paths, checkpoints, DAG ids, pools, assets."""

from typing import Literal

Layer = Literal["bronze", "quarantine", "silver", "rejected", "gold"]

PLATFORM_TAG = "millrace"
STREAM_GROUP = "streams"
"""The stream group of a stack on one machine: all sources and stream models share one Spark application."""

# ClickHouse databases
LIVE = "live"
REALTIME = "realtime"
GOLD = "gold"
OPS = "ops"

# Airflow pools
BATCH_POOL = "millrace_batch"
STREAM_POOL = "millrace_streams"


# -- Kafka ------------------------------------------------------------------------------------------------------------
def dead_letter_topic(topic: str) -> str:
    return f"{topic}.dlq"


def subject(topic: str) -> str:
    """Schema registry subject of a topic's values (TopicNameStrategy)."""
    return f"{topic}-value"


# -- the lake ---------------------------------------------------------------------------------------------------------
def table_path(lake: str, layer: Layer, table: str) -> str:
    """Root of a Delta table. Bronze, quarantine: written by the stream application; the others by the batch driver."""
    return f"{lake}/{layer}/{table}"


def staging_path(lake: str, layer: Layer, table: str, run: str) -> str:
    """Where one run writes its candidate rows aside, until its gate has passed."""
    return f"{lake}/staging/{layer}/{table}/{run}"


# -- streams ----------------------------------------------------------------------------------------------------------
def landing_query(source: str) -> str:
    return f"landing.{source}"


def live_query(source: str) -> str:
    return f"live.{source}"


def stream_query(model: str) -> str:
    return f"stream.{model}"


def realtime_state(model: str) -> str:
    """Table of aggregate states behind a real-time model's view."""
    return f"{model}_state"


def realtime_feed(model: str) -> str:
    """Materialized view that feeds a real-time model from its live table."""
    return f"{model}_mv"


def stream_rows(model: str) -> str:
    """Table of result rows behind a stream model's view."""
    return f"{model}_rows"


def checkpoint(checkpoints: str, query: str) -> str:
    return f"{checkpoints}/{query}"


# -- Airflow ----------------------------------------------------------------------------------------------------------
def stream_dag(group: str) -> str:
    return f"stream_group_{group}"


def medallion_dag(domain: str) -> str:
    return f"{domain}_medallion"


MAINTENANCE_DAG = "lake_maintenance"
LEDGER_DAG = "ledger_recount"
STREAM_CONTROL_DAG = "stream_control"
QUARANTINE_DAG = "quarantine_replay"


def asset_uri(layer: str, table: str) -> str:
    """Airflow asset of a table, e.g. `millrace://silver/user_events`."""
    return f"millrace://{layer}/{table}"
