"""Where a stream model's results go: a table behind a view in ClickHouse, and a Kafka topic."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql.types import StructType

from millrace import names
from millrace.clickhouse.client import columns_of
from millrace.clickhouse.live import DEDUP_WINDOW, interval
from millrace.contracts.avro import Column
from millrace.contracts.model import StreamModel
from millrace.errors import ConfigError
from millrace.settings import Settings
from millrace.topics import FRAME, LARGEST_RESULT
from spark_jobs.edges.clients import Clients
from spark_jobs.edges.producing import Outgoing, open_producer, refuse_failures, send

_VERSION = "_version"
_GENERATION_BITS = 40
"""A version is a generation of the query, then the number of the batch."""


class ModelTable:
    """`realtime.<model>`: a view of the last version of each row, over a table that takes every version."""

    def __init__(self, clickhouse: Clients, model: StreamModel) -> None:
        self._clickhouse, self._model = clickhouse, model
        self._rows = f"{names.REALTIME}.`{names.stream_rows(model.name)}`"
        self._view = f"{names.REALTIME}.`{model.name}`"

    def is_there(self, schema: StructType) -> bool:
        """Whether there is a table with just these columns."""
        return self._existing() == table_columns(self._model, schema)

    def create(self, schema: StructType) -> None:
        """Create table and view; where the model's columns have changed, anew."""
        columns = table_columns(self._model, schema)
        client, existing = self._clickhouse.mine(), self._existing()
        if existing and existing != columns:
            client.command(f"DROP TABLE {self._rows} SYNC")
        client.command(rows_ddl(self._model, columns))
        shown = ", ".join(f"`{name}`" for name in columns if name != _VERSION)
        client.command(f"CREATE OR REPLACE VIEW {self._view} AS SELECT {shown} FROM {self._rows} FINAL")

    def _existing(self) -> dict[str, str]:
        return columns_of(self._clickhouse.mine(), names.REALTIME, names.stream_rows(self._model.name))

    def generation(self, epoch: int) -> int:
        """The lease's epoch, or more: no less than one above whatever the table holds.

        A control plane restored from an older state counts its epochs anew, and a checkpoint set aside its batches.
        """
        newest = self._clickhouse.mine().query(f"SELECT max({_VERSION}) FROM {self._rows}").result_rows[0][0]
        return max(epoch, (int(newest) >> _GENERATION_BITS) + 1)

    def insert(self, rows: pa.Table, generation: int, batch_id: int, token: str) -> None:
        """One batch of changed rows; `token`: what makes the same block again change nothing."""
        version = (generation << _GENERATION_BITS) + batch_id
        versioned = rows.append_column(_VERSION, pa.repeat(pa.scalar(version, pa.uint64()), rows.num_rows))
        self._clickhouse.mine().insert_arrow(
            self._rows, versioned.combine_chunks(), settings={"insert_deduplication_token": token}
        )


def table_columns(model: StreamModel, schema: StructType) -> dict[str, str]:
    """Column name to ClickHouse type; the key's columns are never null."""
    columns = {
        f.name: Column(
            name=f.name, spark_type=f.dataType.simpleString(), nullable=f.nullable and f.name not in model.key
        ).clickhouse_type
        for f in schema.fields
    }
    missing = [name for name in model.key if name not in columns]
    if missing:
        raise ConfigError(f"{model.path}: key {missing} is not among the columns that the SQL gives: {list(columns)}")
    return columns | {_VERSION: "UInt64"}


def rows_ddl(model: StreamModel, columns: dict[str, str]) -> str:
    lines = ",\n".join(f"    `{name}` {kind}" for name, kind in columns.items())
    timed = next((name for name in model.key if columns[name].startswith("Date")), None)
    ttl = f"TTL toDateTime(`{timed}`) + {interval(model.ttl)}" if timed else ""
    return f"""CREATE TABLE IF NOT EXISTS {names.REALTIME}.`{names.stream_rows(model.name)}`
(
{lines}
)
ENGINE = ReplacingMergeTree({_VERSION})
ORDER BY ({", ".join(f"`{c}`" for c in model.key)})
{ttl}
SETTINGS non_replicated_deduplication_window = {DEDUP_WINDOW}"""


class ResultTopic:
    """A topic of results as JSON, keyed by the model's key: of equal keys the last one counts."""

    def __init__(self, settings: Settings, topic: str, key: tuple[str, ...]) -> None:
        self._topic, self._key = topic, key
        self._producer = open_producer(settings, LARGEST_RESULT)

    def send(self, rows: pa.Table) -> list[str]:
        """Produce every row and wait for the acknowledgements; the keys of those that no message can hold."""
        results = [self._result(row) for row in rows.to_pylist()]
        refuse_failures(self._topic, send(self._producer, self._topic, [r for r in results if fits(r)]))
        return [(result.key or b"").decode() for result in results if not fits(result)]

    def _result(self, row: Mapping[str, Any]) -> Outgoing:
        key = "|".join(_text(row[name]) for name in self._key)
        return Outgoing(key.encode(), json.dumps(row, default=_text).encode(), headers=())


def fits(result: Outgoing) -> bool:
    """Whether a message can hold the result."""
    return len(result.key or b"") + len(result.value or b"") + FRAME <= LARGEST_RESULT


def _text(value: Any) -> str:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return str(value)
