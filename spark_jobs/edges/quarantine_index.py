"""The index of rejected rows in ClickHouse, beside that of the records which landing refused."""

import logging
from datetime import UTC, datetime

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from pyspark.sql import DataFrame, functions as F

from millrace import names
from millrace.clickhouse.client import anew, connect, is_transient
from millrace.intervals import Interval
from millrace.settings import Settings

log = logging.getLogger(__name__)
_TABLE = f"{names.OPS}.quarantine"
_COLUMNS = (
    "stage", "reason", "kafka_topic", "kafka_partition", "kafka_offset", "append_time", "ingestion_timestamp",
)  # fmt: skip


def index_rejected(settings: Settings, source: str, rejected: DataFrame) -> None:
    """Insert one line per row, without its content; the same rows again leave the index as it is.

    Silver and gold need no index: where ClickHouse is away, the ledger of the interval catches up.
    """
    lines = _lines(source, rejected)
    try:
        client = connect(settings)
        try:
            client.insert_arrow(_TABLE, lines)
        finally:
            client.close()
    except Exception as error:
        if not is_transient(error):
            raise
        log.warning("%s: the index of rejected rows lags: %s", source, error)


def catch_up(client: Client, source: str, interval: Interval, rejected: DataFrame, count: int) -> None:
    """Index the interval's rejected rows (so many) where ClickHouse lacks some of them."""
    if _indexed(client, source, interval) < count:
        client.insert_arrow(_TABLE, _lines(source, rejected), settings=anew())
        log.info("%s, %s: %d rejected rows are indexed now", source, interval, count)


def _indexed(client: Client, source: str, interval: Interval) -> int:
    [(found,)] = client.query(
        f"""SELECT uniqExact(kafka_topic, kafka_partition, kafka_offset) FROM {_TABLE}
            WHERE source = %(source)s AND stage = 'silver' AND append_time >= %(start)s AND append_time < %(end)s""",
        parameters={"source": source, "start": _text(interval.start), "end": _text(interval.end)},
    ).result_rows
    return int(found)


def _lines(source: str, rejected: DataFrame) -> pa.Table:
    return (
        rejected.select(F.lit(source).alias("source"), *_COLUMNS).orderBy("kafka_partition", "kafka_offset").toArrow()
    )


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
