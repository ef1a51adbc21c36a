"""The index of rejected rows in ClickHouse, beside that of the records which landing refused."""

import logging

from pyspark.sql import DataFrame, functions as F

from millrace import names
from millrace.clickhouse.client import anew, connect, is_transient
from millrace.settings import Settings

log = logging.getLogger(__name__)
_TABLE = f"{names.OPS}.quarantine"
_COLUMNS = (
    "stage", "reason", "kafka_topic", "kafka_partition", "kafka_offset", "append_time", "ingestion_timestamp",
)  # fmt: skip


def index_rejected(settings: Settings, source: str, rejected: DataFrame) -> None:
    """Insert one line per row, without its content; the same rows again leave the index as it is.

    Silver and gold need no index: where ClickHouse is away, the ledger of the interval does it once more.
    """
    lines = rejected.select(F.lit(source).alias("source"), *_COLUMNS).orderBy("kafka_partition", "kafka_offset")
    rows = lines.toArrow()
    try:
        client = connect(settings)
        try:
            client.insert_arrow(_TABLE, rows, settings=anew())
        finally:
            client.close()
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("%s: the index of rejected rows lags: %s", source, error)
