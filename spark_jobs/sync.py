"""Gold to ClickHouse for one interval and model: what differs is gathered beside the table, then swapped in."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from pyspark.sql import DataFrame, functions as F

from millrace.clickhouse import served
from millrace.clickhouse.client import connect
from millrace.clickhouse.served import UPDATED_AT, Content, Served
from millrace.contracts.model import GoldModel
from millrace.errors import TransientError
from millrace.settings import Settings
from spark_jobs.analysis import model_columns
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.narrowing import changed_rows, touched
from spark_jobs.served_memory import remember_served
from spark_jobs.staging_note import recalling
from spark_jobs.transforms import gold_sql

log = logging.getLogger(__name__)
_CHUNK = 1_000_000
"""Rows that pass through this process at once."""
_NESTED = ("array", "map", "struct")


@dataclass(frozen=True)
class Synced:
    """What one attempt sent; nothing where ClickHouse already agreed with the lake."""

    rows: int
    partitions: tuple[str, ...] = ()


def sync_gold(run: BatchRun, name: str) -> Synced:
    """Make ClickHouse agree with the lake: the touched part first, and everything should that not be enough."""
    model = run.catalog.gold_model(name)
    if model.serve is None:
        return Synced(0)
    with run.exclusive(run.settings, f"gold.{name}"), clickhouse(run.settings) as client:
        table = ensure_served(run, client, model)
        gold = run.spark.read.format("delta").load(run.path("gold", name))
        send = _by_partition if table.partition else _by_key
        run = recalling(run, model)
        synced = send(run, client, table, gold, model)
        remember_served(run, client, model, touched(run, model))
    log.info("%s, %s: %s", table.name, run.interval, synced)
    return synced


def ensure_served(run: BatchRun, client: Client, model: GoldModel) -> Served:
    """Create or widen the table in ClickHouse."""
    assert model.serve is not None
    table = served.served(model, model.serve, model_columns(run.spark, run.catalog, model))
    served.create(client, table)
    return table


@contextmanager
def clickhouse(settings: Settings) -> Iterator[Client]:
    """A client for the block; what ClickHouse refuses comes out as TransientError, since our statements are fixed."""
    client = connect(settings)
    try:
        yield client
    except (ClickHouseError, OSError) as error:
        raise TransientError(f"ClickHouse: {error}") from error
    finally:
        client.close()


def _by_partition(run: BatchRun, client: Client, table: Served, gold: DataFrame, model: GoldModel) -> Synced:
    column = str(table.partition)
    values = touched(run, model)
    synced = _replace_stale(client, table, gold.where(gold_sql.among(column, values)), set(values))
    if sum(rows for rows, _ in served.contents(client, table).values()) == gold.count():
        return synced
    log.warning("%s: partitions beyond the interval differ from the lake; bringing all up to date", table.name)
    return _replace_stale(client, table, gold, None)


def _replace_stale(client: Client, table: Served, gold: DataFrame, within: set[Any] | None) -> Synced:
    """Swap in the partitions of `gold` that ClickHouse holds otherwise; drop those `within` that gold lacks."""
    wanted, found = lake_contents(gold, table.partition), served.contents(client, table)
    known = wanted.keys() | (found.keys() if within is None else found.keys() & within)
    stale = [value for value in known if wanted.get(value) != found.get(value)]
    if not stale:
        return Synced(0)
    count = sum(wanted[value][0] for value in stale if value in wanted)
    with _beside(client, table) as beside:
        _insert(client, beside, table, gold.where(gold_sql.among(str(table.partition), stale)), count)
        served.refuse_repeated_rows(client, table, beside, count)
        served.replace_partitions(client, table, beside, [v for v in stale if v not in wanted])
    return Synced(count, tuple(sorted(map(str, stale))))


def _by_key(run: BatchRun, client: Client, table: Served, gold: DataFrame, model: GoldModel) -> Synced:
    """Send new versions of the rows that the interval touched; readers take the newest of each key (FINAL)."""
    wanted = lake_contents(gold, None)
    if wanted == served.contents(client, table):
        return Synced(0)
    news = _news(run, gold, model)
    if count := news.count():
        _insert(client, table.name, table, news, count)
    if wanted == served.contents(client, table):
        return Synced(count)
    log.warning("%s: rows beyond the interval differ from the lake; building it anew", table.name)
    everything = sum(rows for rows, _ in wanted.values())
    with _beside(client, table) as beside:
        _insert(client, beside, table, gold, everything)
        served.refuse_repeated_rows(client, table, beside, everything)
        served.exchange(client, table, beside)
    return Synced(everything)


def _news(run: BatchRun, gold: DataFrame, model: GoldModel) -> DataFrame:
    """The rows whose keys this run has staged; where another run had made them already, those that it touched."""
    staged = lake.read(run.spark, run.staging("gold", model.name))
    if staged is None:
        return changed_rows(run, model)
    keys = staged.select(*(F.col(column).alias(f"_{column}") for column in model.key))
    same = [F.col(column).eqNullSafe(F.col(f"_{column}")) for column in model.key]
    return gold.join(keys, same, "left_semi")


@contextmanager
def _beside(client: Client, table: Served) -> Iterator[str]:
    beside = served.create_beside(client, table, uuid4().hex[:12])
    try:
        yield beside
    finally:
        served.drop(client, beside)


def lake_contents(gold: DataFrame, partition: str | None) -> dict[Any, Content]:
    """What each partition of a gold table holds in the lake; all under None where it has no partitions."""
    part = F.col(partition) if partition else F.lit(None)
    millis = F.sum(F.unix_millis(UPDATED_AT).cast("decimal(38,0)"))
    rows = gold.groupBy(part.alias("part")).agg(F.count("*"), millis).collect()
    return {row[0]: (row[1], int(row[2])) for row in rows}


def _insert(client: Client, into: str, table: Served, rows: DataFrame, count: int) -> None:
    """Send the rows in chunks that fit this process's memory."""
    shaped = rows.select(*(_plain(rows, column.name) for column in table.columns))
    chunks = max(1, math.ceil(count / _CHUNK))
    chunk_of = F.pmod(F.xxhash64(*table.order_by), F.lit(chunks))
    for number in range(chunks):
        chunk = shaped.where(chunk_of == number) if chunks > 1 else shaped
        client.insert_arrow(into, _in_millis(chunk.toArrow()), settings={"max_partitions_per_insert_block": 0})


def _plain(df: DataFrame, name: str) -> Any:
    """Nested values travel as JSON text."""
    nested = df.schema[name].dataType.typeName() in _NESTED
    return F.to_json(name).alias(name) if nested else F.col(name)


def _in_millis(table: pa.Table) -> pa.Table:
    position = table.schema.get_field_index(UPDATED_AT)
    return table.set_column(position, UPDATED_AT, table[UPDATED_AT].cast(pa.timestamp("ms", "UTC")))
