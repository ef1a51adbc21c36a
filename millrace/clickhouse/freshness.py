"""The view `ops.freshness`: how old the newest events are, by the time at which they happened."""

from collections.abc import Iterable

from millrace import names
from millrace.clickhouse.live import interval
from millrace.contracts.source import Source

VIEW = f"{names.OPS}.freshness"


def freshness_view(sources: Iterable[Source]) -> str:
    """One row per source over the last five minutes in which Kafka appended anything.

    A backfill appends old events, so it cannot pass for fresh ones, as a freshness by append time would let it. Clocks
    that run fast cannot either: an event counts as no newer than its append time, and the 95th percentile is taken.
    """
    rows = "\nUNION ALL\n".join(map(_rows_of, sources))
    return f"""CREATE OR REPLACE VIEW {VIEW} AS
SELECT source, event_time_p95, dateDiff('millisecond', event_time_p95, now64(3)) / 1000 AS freshness_seconds,
    events, late_events, early_events, newest_append_time
FROM
(
{rows}
)
WHERE events > 0
ORDER BY source"""


def _rows_of(source: Source) -> str:
    table = f"{names.LIVE}.`{source.name}`"
    return f"""SELECT '{source.name}' AS source,
    quantile(0.95)(toDateTime64(least(event_time, append_time), 3, 'UTC')) AS event_time_p95,
    count() AS events,
    countIf(event_time < append_time - {interval(source.event.lateness)}) AS late_events,
    countIf(event_time > append_time + INTERVAL 1 SECOND) AS early_events,
    max(append_time) AS newest_append_time
FROM {table}
WHERE append_time > (SELECT max(append_time) FROM {table}) - INTERVAL 5 MINUTE"""
