"""A source's live table: written in blocks with a token, read back for the window of ids."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace import names
from millrace.clickhouse.client import columns_of
from millrace.clickhouse.live import interval, is_empty
from millrace.contracts.columns import EVENT_TIME
from millrace.contracts.source import Source
from spark_jobs.edges.clients import Clients
from spark_jobs.id_window import Longs
from spark_jobs.transforms.silver import AHEAD, EARLIEST

_EARLIEST = int(datetime.fromisoformat(EARLIEST).replace(tzinfo=UTC).timestamp()) * 1_000_000
_ORDER = [("append_time", "ascending"), ("kafka_partition", "ascending"), ("kafka_offset", "ascending")]


def in_order(batch: pa.Table) -> pa.Table:
    """Sorted by append time and position, so that the same batch always comes out the same."""
    return batch.sort_by(_ORDER)


def by_day(rows: pa.Table, token: str) -> list[tuple[str, pa.Table]]:
    """The rows of each day of append time (UTC), oldest first, each with its token; of a single day with `token`."""
    days = pc.floor_temporal(rows["append_time"], unit="day")
    found = sorted(pc.unique(days).to_pylist())
    if len(found) == 1:
        return [(token, rows)]
    return [(f"{token}:{day:%Y-%m-%d}", rows.filter(pc.equal(days, pa.scalar(day, days.type)))) for day in found]


def next_offsets(clickhouse: Clients, source: Source) -> dict[int, int]:
    """Highest offset plus one per partition; empty while the table is."""
    rows = clickhouse.mine().query(
        f"SELECT kafka_partition, max(kafka_offset) + 1 FROM {names.LIVE}.`{source.name}` GROUP BY kafka_partition"
    )
    return {int(partition): int(offset) for partition, offset in rows.result_rows}


def around(moments: Iterable[datetime], reach: timedelta) -> list[tuple[datetime, datetime]]:
    """The stretches of time within `reach` of any of the moments; those that overlap are one."""
    stretches: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        first = moment - reach
        if stretches and first <= stretches[-1][1]:
            first = stretches.pop()[0]
        stretches.append((first, moment + reach))
    return stretches


def _microseconds(times: pa.ChunkedArray) -> Longs:
    """Since 1970; a time that is missing is 1970."""
    whole = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(whole, 0), dtype=np.int64)


def _moment(at: datetime) -> str:
    return f"toDateTime64('{at:%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


class LiveTable:
    """`live.<source>`, for the one query that writes it."""

    def __init__(self, clickhouse: Clients, source: Source) -> None:
        self._clickhouse = clickhouse
        self._source, self._table = source, f"{names.LIVE}.`{source.name}`"
        self._reach = source.event.lateness * 3

    def insert(self, rows: pa.Table, token: str) -> None:
        """Insert as one block; the same token again changes nothing, neither here nor in the tables fed from here.

        A block of two days would become two parts, of which readers could see the later first. It is inserted day by
        day, so that a row is never visible before one of the same partition with a lower offset.
        """
        for part, of_day in by_day(rows, token):
            self._clickhouse.mine().insert_arrow(
                self._table, of_day.combine_chunks(), settings={"insert_deduplication_token": part}
            )

    def last_batch(self, checkpoint: str) -> int:
        """The last batch that the table holds of this checkpoint; -1 for none."""
        sql = f"SELECT maxOrNull(_batch_id) FROM {self._table} WHERE _checkpoint = %(checkpoint)s"
        found = self._clickhouse.mine().query(sql, parameters={"checkpoint": checkpoint}).result_rows[0][0]
        return -1 if found is None else int(found)

    def lacks(self, id_hashes: Collection[int], since: int) -> bool:
        """Whether not all of these events are there that were appended at `since` (microseconds), or repeat such."""
        sql = f"""SELECT uniqExact(_id_hash) FROM {self._table} WHERE _id_hash IN %(hashes)s
            AND append_time >= fromUnixTimestamp64Micro(%(since)s, 'UTC') - {interval(self._reach)}"""
        parameters = {"hashes": sorted(id_hashes), "since": since}
        return int(self._clickhouse.mine().query(sql, parameters=parameters).result_rows[0][0]) < len(id_hashes)

    def is_empty(self) -> bool:
        return is_empty(self._clickhouse.mine(), self._source)

    def empty_fed(self, mark: str) -> list[str]:
        """Empty the aggregates that are fed from the table; gives the names under which what they held is kept.

        ClickHouse says which those are: a model whose file is broken just now is fed all the same. With the same `mark`
        it may be repeated.
        """
        rows = (
            self._clickhouse.mine()
            .query(
                """SELECT feed.2 FROM (SELECT arrayJoin(arrayZip(dependencies_database, dependencies_table)) AS feed
               FROM system.tables WHERE database = %(d)s AND name = %(n)s) WHERE feed.1 = %(r)s""",
                parameters={"d": names.LIVE, "n": self._source.name, "r": names.REALTIME},
            )
            .result_rows
        )
        feeds, suffix = sorted(feed for (feed,) in rows), names.realtime_feed("")
        states = [names.realtime_state(feed.removesuffix(suffix)) for feed in feeds if feed.endswith(suffix)]
        kept = [self._emptied(state, f"{state}_{mark}") for state in states if self._is_there(state)]
        return [name for name in kept if name]

    def _emptied(self, state: str, copy: str) -> str | None:
        """Change places with an empty table, in one step; None where there was nothing to keep."""
        client, held, kept = self._clickhouse.mine(), f"{names.REALTIME}.`{state}`", f"{names.REALTIME}.`{copy}`"
        if client.query(f"SELECT 1 FROM {held} LIMIT 1").result_rows:
            client.command(f"CREATE TABLE IF NOT EXISTS {kept} AS {held}")
            client.command(f"EXCHANGE TABLES {held} AND {kept}")
        return f"{names.REALTIME}.{copy}" if self._is_there(copy) else None

    def _is_there(self, table: str) -> bool:
        return bool(columns_of(self._clickhouse.mine(), names.REALTIME, table))

    def recent(self, checkpoint: str, before_batch: int) -> pa.Table:
        """What `ids_and_times` asks for, of what the last lateness windows hold, without the batch that comes again.

        Each partition has a window of its own: one may have been idle for hours, and goes on where it stood.
        """
        clickhouse = self._clickhouse.mine()
        lasts = clickhouse.query(f"SELECT max(append_time) FROM {self._table} GROUP BY kafka_partition").result_rows
        windows = around([row[0] for row in lasts], self._reach)
        chosen = " OR ".join(f"append_time BETWEEN {_moment(first)} AND {_moment(last)}" for first, last in windows)
        return clickhouse.query_arrow(
            f"""SELECT _id_hash, append_time, {EVENT_TIME.name} FROM {self._table}
                WHERE ({chosen or "false"}) AND NOT (_checkpoint = %(checkpoint)s AND _batch_id >= %(batch)s)""",
            parameters={"checkpoint": checkpoint, "batch": before_batch},
        )

    @staticmethod
    def ids_and_times(batch: pa.Table) -> tuple[Longs, Longs]:
        """Hashes of ids, and append times in microseconds.

        An event that silver refuses for its time is not the first of those that come again with the right one: its
        hash is another, so that both are shown, each once.
        """
        times, happened = _microseconds(batch["append_time"]), _microseconds(batch[EVENT_TIME.name])
        refused = (happened < _EARLIEST) | (happened > times + AHEAD // timedelta(microseconds=1))
        hashes = batch["_id_hash"].to_numpy().astype(np.int64, copy=False)
        return np.where(refused, ~hashes, hashes), times

    @staticmethod
    def labelled(rows: pa.Table, checkpoint: str, batch_id: int) -> pa.Table:
        """With the batch that wrote them."""
        return rows.append_column("_checkpoint", pa.repeat(pa.scalar(checkpoint), rows.num_rows)).append_column(
            "_batch_id", pa.repeat(pa.scalar(batch_id, pa.int64()), rows.num_rows)
        )
