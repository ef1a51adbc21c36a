"""Gold tables in ClickHouse: their shape, and how their content is swapped so that no reader sees half of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from millrace import names
from millrace.clickhouse.client import columns_of
from millrace.contracts.avro import Column
from millrace.contracts.model import GoldModel, Serve
from millrace.contracts.sql import group_keys, parse_model
from millrace.errors import DataError

UPDATED_AT = "updated_at"
Content = tuple[int, int]
"""How many rows, and the sum of their `updated_at` in milliseconds: two copies that agree in both are the same."""


@dataclass(frozen=True)
class Served:
    """A gold table as ClickHouse holds it."""

    database: str
    table: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    partition: str | None
    comment: str = ""

    @property
    def name(self) -> str:
        return f"{self.database}.`{self.table}`"

    def beside(self, token: str) -> str:
        """A table in which one sync gathers rows before they are shown."""
        return f"{names.OPS}.`sync_{self.table}_{token}`"


def served(model: GoldModel, serve: Serve, columns: Sequence[Column]) -> Served:
    """The table that serves `model`, whose rows have `columns`."""
    order = serve.order_by or model.key or row_identity(model, [c.name for c in columns])
    first = () if model.partition is None or model.partition in order else (model.partition,)
    return Served(
        database=serve.database,
        table=serve.table or model.name,
        columns=tuple(columns),
        order_by=(*first, *order),
        partition=model.partition,
        comment=model.description,
    )


def row_identity(model: GoldModel, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell a model's rows apart: its insert key, else what it groups by, else all of them."""
    if model.insert_key:
        return model.insert_key
    keys = group_keys(parse_model(model))
    return tuple(c for c in columns if c != UPDATED_AT) if keys is None else keys


def create(client: Client, table: Served) -> None:
    """Create the table, or add the columns that the model has gained."""
    there = columns_of(client, table.database, table.table)
    if not there:
        client.command(ddl(table))
    for column in table.columns:
        if there and column.name not in there:
            client.command(f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS `{column.name}` {_type(column)}")


def ddl(table: Served) -> str:
    columns = ",\n".join(f"    `{column.name}` {_type(column)}" for column in table.columns)
    partition = f"PARTITION BY `{table.partition}`\n" if table.partition else ""
    comment = table.comment.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name}\n(\n{columns}\n)\nENGINE = ReplacingMergeTree({UPDATED_AT})\n"
        f"{partition}ORDER BY ({', '.join(f'`{c}`' for c in table.order_by)})\n"
        f"SETTINGS allow_nullable_key = 1\nCOMMENT '{comment}'"
    )


def contents(client: Client, table: Served, within: Collection[Any] | None = None) -> dict[Any, Content]:
    """What each partition holds; for a table without partitions, the newest version of each row under None.

    `within` asks for these partitions alone.
    """
    some = within is not None and None not in within
    by = f"`{table.partition}`" if table.partition else "NULL"
    final = "" if table.partition else "FINAL"
    rows = client.query(
        f"SELECT {by} AS part, count(), sum(toInt128(toUnixTimestamp64Milli({UPDATED_AT}))) "
        f"FROM {table.name} {final} {'WHERE part IN %(within)s' if some else ''} GROUP BY part",
        parameters={"within": tuple(within or ())} if some else None,
    ).result_rows
    return {part: (int(count), int(total)) for part, count, total in rows if count}


def create_beside(client: Client, table: Served, token: str) -> str:
    """An empty table of the same structure; what an earlier attempt left there is gone."""
    beside = table.beside(token)
    client.command(f"DROP TABLE IF EXISTS {beside} SYNC")
    client.command(f"CREATE TABLE {beside} AS {table.name}")
    return beside


def refuse_repeated_rows(client: Client, table: Served, beside: str, sent: int) -> None:
    """The engine collapses rows that agree in the ordering key, at once or in time, and the numbers would go wrong."""
    key = ", ".join(f"`{c}`" for c in table.order_by)
    distinct = client.query(f"SELECT uniqExact(tuple({key})) FROM {beside}").result_rows[0][0]
    if distinct != sent:
        raise DataError(
            f"{table.name}: {sent} rows, but only {distinct} different values of ({key}); expected each row to have "
            f"its own. Name the columns that tell rows apart in the model's header, e.g. serve: {{order_by: [...]}}"
        )


def replace_partitions(client: Client, table: Served, beside: str, gone: Collection[Any]) -> None:
    """Swap in the partitions that `beside` holds, each atomically, and drop those that are `gone`."""
    for (partition,) in client.query(f"SELECT DISTINCT _partition_id FROM {beside}").result_rows:
        client.command(f"ALTER TABLE {table.name} REPLACE PARTITION ID '{partition}' FROM {beside}")
    if gone:
        found = client.query(
            f"SELECT DISTINCT _partition_id FROM {table.name} WHERE `{table.partition}` IN %(gone)s",
            parameters={"gone": tuple(gone)},
        ).result_rows
        for (partition,) in found:
            client.command(f"ALTER TABLE {table.name} DROP PARTITION ID '{partition}'")


def exchange(client: Client, table: Served, beside: str) -> None:
    """Put `beside` in the table's place, atomically."""
    client.command(f"EXCHANGE TABLES {beside} AND {table.name}")


def drop(client: Client, beside: str) -> None:
    client.command(f"DROP TABLE IF EXISTS {beside} SYNC")


def _type(column: Column) -> str:
    return "DateTime64(3, 'UTC')" if column.name == UPDATED_AT else column.clickhouse_type
