"""The live tables: what the live query writes, one per source, following the contract as it grows."""

from datetime import timedelta

from clickhouse_connect.driver.client import Client

from millrace import names
from millrace.clickhouse.client import columns_of
from millrace.contracts.columns import live_columns
from millrace.contracts.source import Source
from millrace.errors import ConfigError

DEDUP_WINDOW = 1000
"""Blocks whose deduplication tokens a table remembers; a replayed batch is always among the last few."""
INTERNAL = {
    "_id_hash": "Int64",
    "_checkpoint": "LowCardinality(String)",
    "_batch_id": "Int64",
}
"""Columns that the live query needs to rebuild its window of ids after a restart."""
_INDEXES = ("append_time append_time TYPE minmax", "kafka_partition kafka_partition TYPE set(0) GRANULARITY 8")
"""Rows lie in order of event time: with these, who looks for what has just come reads little else."""


def table_columns(source: Source) -> dict[str, str]:
    """Column name to ClickHouse type of `live.<source>`: what models may read, then our own."""
    return {c.name: c.clickhouse_type for c in live_columns(source)} | INTERNAL


def create_live(client: Client, source: Source) -> None:
    """Create the live table, or add the columns that its contract has gained."""
    existing = columns_of(client, names.LIVE, source.name)
    if existing:
        _evolve(client, source, existing)
    else:
        client.command(live_ddl(source))


def live_ddl(source: Source) -> str:
    """Partitioned by append time, which no producer's clock can spoil; a Replacing engine is the second net."""
    columns = ",\n".join(f"    `{name}` {kind}" for name, kind in table_columns(source).items())
    indexes = ",\n    ".join(f"INDEX {index}" for index in _INDEXES)
    return f"""CREATE TABLE IF NOT EXISTS {names.LIVE}.`{source.name}`
(
{columns},
    {indexes}
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(append_time)
ORDER BY (event_time, kafka_partition, kafka_offset)
TTL toDateTime(append_time) + {interval(source.live_retention)}
SETTINGS non_replicated_deduplication_window = {DEDUP_WINDOW}"""


def is_empty(client: Client, source: Source) -> bool:
    """Whether the source's live table has no row."""
    return not client.query(f"SELECT 1 FROM {names.LIVE}.`{source.name}` LIMIT 1").result_rows


def interval(duration: timedelta) -> str:
    return f"INTERVAL {int(duration.total_seconds())} SECOND"


def _evolve(client: Client, source: Source, existing: dict[str, str]) -> None:
    table = f"{names.LIVE}.`{source.name}`"
    for name, kind in table_columns(source).items():
        if name not in existing:
            client.command(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS `{name}` {kind}")
        elif existing[name] != kind:
            raise ConfigError(
                f"{source.folder}: field '{name}' is {kind} by its contract, but {existing[name]} in {table}; a type "
                f"cannot change in place: give the field a new name, or drop the live table to rebuild it"
            )
    for index in _INDEXES:
        client.command(f"ALTER TABLE {table} ADD INDEX IF NOT EXISTS {index}")
    client.command(f"ALTER TABLE {table} MODIFY TTL toDateTime(append_time) + {interval(source.live_retention)}")
