"""The index of rejected rows in ClickHouse, beside that of the records which landing refused."""

from pyspark.sql import DataFrame, functions as F

from millrace import names
from millrace.clickhouse.client import connect
from millrace.settings import Settings

_TABLE = "quarantine"
_COLUMNS = (
    "stage", "reason", "kafka_topic", "kafka_partition", "kafka_offset", "append_time", "ingestion_timestamp",
)  # fmt: skip


def index_rejected(settings: Settings, source: str, rejected: DataFrame) -> None:
    """Insert one line per row, without its content; the same rows again leave the index as it is."""
    lines = rejected.select(F.lit(source).alias("source"), *_COLUMNS).orderBy("kafka_partition", "kafka_offset")
    client = connect(settings, names.OPS)
    try:
        client.insert_arrow(_TABLE, lines.toArrow())
    finally:
        client.close()
