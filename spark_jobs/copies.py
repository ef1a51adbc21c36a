"""The copies of silver: gold's base in the lake, gold tables in ClickHouse, and the live table, each compared."""

from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData
from numpy.typing import NDArray
from pyspark.sql import DataFrame, functions as F
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from millrace import names
from millrace.clickhouse import served
from millrace.clickhouse.client import columns_of
from millrace.clickhouse.served import UPDATED_AT, Content, Served
from millrace.contracts.model import GoldModel
from millrace.contracts.source import Source
from millrace.control.ledger import GOLD, LIVE, UNKNOWN, Copy
from spark_jobs.analysis import model_columns
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import bronze_rows
from spark_jobs.edges import lake
from spark_jobs.narrowing import candidate_sql, changed_rows, touched
from spark_jobs.sync import lake_contents
from spark_jobs.transforms import gold_sql
from spark_jobs.transforms.live_rows import live_id_hash

_PATIENCE = 30.0
"""Another run may be between its publish and its sync; a difference counts once it has lasted this many seconds."""
_MOST_KEYS = 100_000
_MOST_IDS = 2_000_000
_KEYS = "looked_up"


def gold_copies(run: BatchRun, source: Source) -> dict[str, Copy]:
    """The base of gold: the tables that take silver's rows one by one, over the interval."""
    base = [m for m in run.catalog.fed_by(source) if m.insert_key and m.inputs == (f"silver.{source.name}",)]
    columns = {m.name: [c.name for c in model_columns(run.spark, run.catalog, m)] for m in base}
    return {f"{GOLD}{m.name}": _base(run, m) for m in base if "append_time" in columns[m.name]}


def served_copies(run: BatchRun, client: Client, source: Source) -> dict[str, Copy]:
    """The gold tables in ClickHouse that the interval touched, each against the lake."""
    models = [m for m in run.catalog.fed_by(source) if m.serve is not None]
    return {f"clickhouse.{m.served_as}": _settled(run, client, m) for m in models}


def live_copies(run: BatchRun, client: Client, source: Source, rows: int) -> dict[str, Copy]:
    """The events among the `rows` of bronze that the live table knows; of a large interval, a sample by their hash."""
    expired = datetime.now(UTC) - run.interval.start > source.live_retention
    there = not expired and columns_of(client, names.LIVE, source.name)
    return {f"{LIVE}{source.name}": _live(run, client, source, rows) if there else UNKNOWN}


def unknown_copies(run: BatchRun, source: Source) -> dict[str, Copy]:
    """What ClickHouse would say, while it does not answer."""
    models = [m for m in run.catalog.fed_by(source) if m.serve is not None]
    return {f"clickhouse.{m.served_as}": UNKNOWN for m in models} | {f"{LIVE}{source.name}": UNKNOWN}


def _base(run: BatchRun, model: GoldModel) -> Copy:
    values = touched(run, model)
    if not values:
        return Copy(0, 0)
    expected = run.spark.sql(candidate_sql(run, model, values)).count()
    gold = lake.read(run.spark, run.path("gold", model.name))
    if gold is None:
        return Copy(expected, 0)
    there = gold.where(gold_sql.among(str(model.partition), values)).where(lake.appended_in(run.interval))
    return Copy(expected, there.count())


def _settled(run: BatchRun, client: Client, model: GoldModel) -> Copy:
    """Look again for a while where the two differ."""
    look = partial(_served, run, client, model)
    attempts = Retrying(
        stop=stop_after_delay(_PATIENCE), wait=wait_fixed(3), retry=retry_if_result(lambda copy: not copy.balances)
    )
    try:
        return attempts(look)
    except RetryError as error:
        last: Copy = error.last_attempt.result()
        return last


def _served(run: BatchRun, client: Client, model: GoldModel) -> Copy:
    assert model.serve is not None
    gold = lake.read(run.spark, run.path("gold", model.name))
    if gold is None or not (values := touched(run, model)):
        return Copy(0, 0)
    table = served.served(model, model.serve, ())
    if not columns_of(client, table.database, table.table):
        return Copy(gold.count(), 0)
    if model.partition is None:
        return _by_key(run, client, table, model)
    rows = gold.where(gold_sql.among(model.partition, values))
    found = {part: there for part, there in served.contents(client, table, values).items() if part in values}
    return _compared(lake_contents(rows, model.partition), found)


def _by_key(run: BatchRun, client: Client, table: Served, model: GoldModel) -> Copy:
    """The rows whose keys lie in what the interval touched, or as many of them as can be looked up at once."""
    rows = changed_rows(run, model).select(*model.key, F.date_trunc("millisecond", UPDATED_AT).alias(UPDATED_AT))
    sent = rows.limit(_MOST_KEYS).toArrow()
    millis = pc.sum(sent[UPDATED_AT].cast(pa.timestamp("ms", "UTC")).cast(pa.int64())).as_py()
    if not sent.num_rows:
        return Copy(0, 0)
    return _compared({None: (sent.num_rows, int(millis))}, {None: _looked_up(client, table, sent.select(model.key))})


def _looked_up(client: Client, table: Served, keys: pa.Table) -> Content:
    types = columns_of(client, table.database, table.table)
    listed = ", ".join(f"`{name}`" for name in keys.column_names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, keys.schema) as writer:
        writer.write_table(keys)
    external = ExternalData(
        file_name=_KEYS,
        data=sink.getvalue().to_pybytes(),
        fmt="Arrow",
        structure=[f"{name} {types[name]}" for name in keys.column_names],
    )
    [(count, total)] = client.query(
        f"SELECT count(), sum(toInt128(toUnixTimestamp64Milli({UPDATED_AT}))) FROM {table.name} FINAL "
        f"WHERE ({listed}) IN (SELECT {listed} FROM {_KEYS})",
        external_data=external,
        settings={"transform_null_in": 1},
    ).result_rows
    return int(count), int(total)


def _compared(wanted: dict[object, Content], found: dict[object, Content]) -> Copy:
    stale = [part for part in wanted.keys() | found.keys() if wanted.get(part) != found.get(part)]
    return Copy(sum(rows for rows, _ in wanted.values()), sum(rows for rows, _ in found.values()), len(stale))


def _live(run: BatchRun, client: Client, source: Source, rows: int) -> Copy:
    share = max(1, -(-rows // _MOST_IDS))
    expected = _bronze_ids(bronze_rows(run, source, run.interval), source, share)
    found = int(np.isin(expected, _live_ids(run, client, source, share)).sum())
    if found < len(expected) and not _live_has_passed(run, client, source):
        return Copy(len(expected), None)
    return Copy(len(expected), found)


def _bronze_ids(rows: DataFrame, source: Source, share: int) -> NDArray[np.int64]:
    """Hashes of the ids, as the live query makes them."""
    ids = rows.select(live_id_hash(F.col(source.event.id)).alias("id")).distinct()
    chosen = ids.where(F.pmod("id", F.lit(share)) == 0) if share > 1 else ids
    return np.asarray(chosen.toArrow()["id"])


def _live_ids(run: BatchRun, client: Client, source: Source, share: int) -> NDArray[np.int64]:
    wide = run.interval.widened(source.event.lateness)  # a duplicate's first may lie beyond the interval's ends
    sql = f"""SELECT DISTINCT _id_hash AS id FROM {names.LIVE}.`{source.name}`
        WHERE append_time >= %(start)s AND append_time < %(end)s AND positiveModulo(_id_hash, %(share)s) = 0"""
    bounds = {"start": _text(wide.start), "end": _text(wide.end), "share": share}
    return np.asarray(client.query_arrow(sql, parameters=bounds)["id"])


def _live_has_passed(run: BatchRun, client: Client, source: Source) -> bool:
    """Whether the live query has once been up to date since the interval's end; else what lacks may still come."""
    [(passed,)] = client.query(
        f"""SELECT count() FROM {names.OPS}.stream_progress WHERE query = %(query)s AND lag_records = 0
            AND at - toIntervalMillisecond(batch_ms) > parseDateTime64BestEffort(%(end)s, 6, 'UTC')""",
        parameters={"query": names.live_query(source.name), "end": _text(run.interval.end)},
    ).result_rows
    return bool(passed)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
