"""What a day of many events needs, worked out from what one event was measured to cost."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from bench.rivals.kafka_engine import live_table
from bench.stack import BenchStack
from millrace import names
from millrace.clickhouse.client import connect

DAYS = (10**8, 10**9, 10**11)
PEAK = 3.0
"""The busiest minute over the mean of the day."""
BUSY = 0.6
"""Share of a core that may be used at the peak: the rest is for restarts, catching up and maintenance."""
BATCH_HOURS = 0.25
"""Of each hour, that refining it may take."""
FILE_BYTES = 512 * 2**20
SHARD_CORES = 16
PARTITION_RATE = 20_000.0
"""Events a second of one Kafka partition: less than half of what one core was seen to read, so that it catches up."""


@dataclass(frozen=True)
class Sizes:
    """Bytes that one event takes where it lies."""

    kafka: float
    bronze: float
    live: float


@dataclass(frozen=True)
class Costs:
    """CPU microseconds of one event."""

    kafka: float
    streams: float
    clickhouse: float
    batch: float


def sizes(stack: BenchStack) -> Sizes:
    """From the stack as it is, after a run that has left events there."""
    table, topic = stack.source, stack.source.topic.name
    logs = [p for p in (stack.stack.state / "kafka").glob(f"{topic}-[0-9]*/*.log") if p.is_file()]
    client = connect(stack.settings)
    sent = client.query(f"SELECT count() FROM {live_table(table)}").result_rows[0][0]
    parts = (
        "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND database = %(d)s AND table = %(t)s"
    )
    live = client.query(parts, parameters={"d": names.LIVE, "t": table.name}).result_rows[0][0]
    bronze = DeltaTable(names.table_path(stack.settings.lake, "bronze", table.name))
    files = [Path(file).stat().st_size for file in bronze.file_uris()]
    rows = bronze.to_pyarrow_dataset().count_rows()
    return Sizes(sum(p.stat().st_size for p in logs) / sent, sum(files) / rows, float(live))


def costs(live: Any, rebuild: Any) -> Costs:
    """From the results of `live` at the highest rate and of `rebuild`."""
    cpu = next(r["cpu"] for r in live if r["mode"] == "millrace")
    batch = sorted(r["cpu"] * 1e6 / r["rows"] for r in rebuild if r["who"] == "range job")
    return Costs(cpu["kafka"], cpu["stream driver"], cpu["clickhouse"], batch[len(batch) // 2])


def needs(events: int, cost: Costs, size: Sizes) -> list[str]:
    """One row of the page: what a day of so many events needs."""
    mean = events / 86_400
    peak = mean * PEAK
    partitions = max(6, math.ceil(peak / PARTITION_RATE))
    clickhouse = _cores(peak, cost.clickhouse)
    return [
        f"{events:,}", f"{mean:,.0f} / {peak:,.0f}", f"{partitions:,}", f"{_cores(peak, cost.kafka):,}",
        f"{_cores(peak, cost.streams):,}", f"{_cores(mean / BATCH_HOURS, cost.batch):,}", f"{clickhouse:,}",
        f"{max(1, math.ceil(clickhouse / SHARD_CORES)):,}", f"{events * size.bronze / 2**30:,.0f}",
        f"{max(24, math.ceil(events * size.bronze / FILE_BYTES)):,}", f"{events * size.live / 2**30:,.0f}",
    ]  # fmt: skip


COLUMNS = [
    "events a day", "events/s, mean / peak", "Kafka partitions", "Kafka cores", "stream cores", "batch cores",
    "ClickHouse cores", "shards", "bronze, GiB a day", "bronze files a day", "live, GiB a day",
]  # fmt: skip


def _cores(rate: float, micros: float) -> int:
    return max(1, math.ceil(rate * micros / 1e6 / BUSY))
