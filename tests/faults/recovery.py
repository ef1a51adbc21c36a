"""How long it takes until everything that was acknowledged can be read again, from the moment of asking."""

import time

from tests.faults.lab import Lab
from tests.faults.load import Load
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, lake_rows

Offsets = dict[int, int]


def recovery(lab: Lab, load: Load, within: float) -> float:
    """Seconds until bronze and live hold what Kafka has acknowledged by now; fails when that takes too long."""
    began = time.monotonic()
    wanted = newest(load)
    await_that(lambda: covers(in_bronze(lab), wanted), f"bronze to reach {wanted}", within)
    await_that(lambda: covers(in_live(lab), wanted), f"live to reach {wanted}", within)
    return time.monotonic() - began


def newest(load: Load) -> Offsets:
    """The last good offset that was acknowledged, per partition."""
    found: Offsets = {}
    for record in list(load.acked):
        if record.steady:
            found[record.partition] = max(record.offset, found.get(record.partition, -1))
    return found


def in_bronze(lab: Lab) -> Offsets:
    sql = "SELECT kafka_partition, max(kafka_offset) FROM t GROUP BY kafka_partition"
    return dict(lake_rows(lab.settings, "bronze", lab.source, sql, ["kafka_partition", "kafka_offset"]))


def in_live(lab: Lab) -> Offsets:
    if not clickhouse_rows(lab.settings, f"EXISTS live.`{lab.source}`")[0]["result"]:
        return {}
    sql = f"SELECT kafka_partition AS p, max(kafka_offset) AS o FROM live.`{lab.source}` GROUP BY p"
    return {row["p"]: row["o"] for row in clickhouse_rows(lab.settings, sql)}


def covers(found: Offsets, wanted: Offsets) -> bool:
    """Whether a table has got as far, in every partition."""
    return all(found.get(partition, -1) >= offset for partition, offset in wanted.items())
