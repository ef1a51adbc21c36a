"""How fast the streaming queries go, as their batches have reported it to ClickHouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millrace import names
from millrace.errors import TransientError
from millrace.settings import Settings

_QUERIES = """
SELECT query, sumIf(rows, at > now() - 60) / 60, argMax(lag_records, at), argMax(freshness_ms, at) / 1000,
    if(countIf(at > now() - 60) > 0, quantileIf(0.95)(batch_ms, at > now() - 60) / 1000, NULL),
    countIf(at > now() - 60), dateDiff('second', max(at), now())
FROM ops.stream_progress WHERE at > now() - INTERVAL 1 DAY GROUP BY query ORDER BY query"""


@dataclass(frozen=True)
class QueryProgress:
    """One query over the last minute; times in seconds."""

    query: str
    rows_per_second: float
    lag: int
    """Records that the query has not read yet: in Kafka, or of a stream model in its live table."""
    freshness: float | None
    """From the newest append time of the last batch to its end."""
    batch_p95: float | None
    batches: int
    idle: int
    """Since the end of the last batch."""


def query_progress(settings: Settings) -> list[QueryProgress]:
    """Every query that finished a batch within a day; raises TransientError when ClickHouse does not answer."""
    return [QueryProgress(*row) for row in ask(settings, _QUERIES)]


def ask(settings: Settings, query: str) -> Sequence[Sequence[Any]]:
    """Rows of a query to ClickHouse's database `ops`."""
    from millrace.clickhouse.client import SOON, connect, is_transient

    try:
        return connect(settings, names.OPS, answers_within=SOON).query(query).result_rows
    except Exception as error:
        if is_transient(error):
            raise TransientError(f"ClickHouse does not answer: {error}") from error
        raise


def told(progress: Sequence[QueryProgress]) -> str:
    """One line for a log."""
    return "; ".join(f"{p.query} {p.rows_per_second:,.0f} rows/s, lag {p.lag:,}" for p in progress) or "no batch yet"
