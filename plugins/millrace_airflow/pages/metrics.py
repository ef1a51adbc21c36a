"""Our figures for Prometheus, asked afresh for each scrape; a service that is away costs its own figures alone."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from millrace import names
from millrace.check.healthy import healthy_catalog
from millrace.completeness import unread
from millrace.control.alerts import open_alerts
from millrace.control.database import connect
from millrace.control.groups import read_group
from millrace.control.ledger import read_entries
from millrace.errors import TransientError
from millrace.settings import Settings
from millrace_airflow.progress import ask

log = logging.getLogger(__name__)
_QUERIES = {
    "millrace_query_lag_records": ("lag_records", "Records that the query had not read after its last batch."),
    "millrace_query_lag_seconds": ("lag_seconds", "Since the newest record that was read, while others wait; else 0."),
    "millrace_query_latency_seconds": ("latency_seconds", "From a record's append to the end of its batch, the last."),
    "millrace_query_records_per_second": ("records_per_second", "Records read per second over the last minute."),
    "millrace_query_batch_milliseconds": ("batch_ms_p95", "Duration of a batch, 95th percentile of ten minutes."),
    "millrace_query_state_rows": ("state_rows", "Rows in the query's state store."),
    "millrace_query_state_bytes": ("state_bytes", "Memory of the query's state store."),
    "millrace_query_silent_seconds": ("silent_seconds", "Seconds since the query's last batch."),
}
_INTERVALS = 168
"""The newest lines of the ledger count: of one source, a week of hours."""


def exposition(settings: Settings) -> bytes:
    """Everything in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(settings))
    return generate_latest(registry)


class _Figures:
    """A collector, as prometheus_client wants it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Every family of metrics; `millrace_up` says which of the services gave theirs."""
        up = _gauge("millrace_up", "Whether a service gave its figures.", "service")
        groups: dict[str, Callable[[Settings], list[Metric]]] = {
            "clickhouse": _from_clickhouse, "postgres": _from_postgres, "kafka": _from_kafka,
        }  # fmt: skip
        for service, figures in groups.items():
            try:
                yield from figures(self._settings)
                up.add_metric([service], 1)
            except TransientError as error:
                log.warning("no metrics from %s: %s", service, error)
                up.add_metric([service], 0)
        yield up


def _from_clickhouse(settings: Settings) -> list[Metric]:
    families = []
    columns = ", ".join(column for column, _ in _QUERIES.values())
    queries = ask(settings, f"SELECT query, {columns} FROM {names.OPS}.stream_health")
    for position, (name, (_, said)) in enumerate(_QUERIES.items(), 1):
        families.append(_family(name, said, "query", [(row[0], row[position]) for row in queries]))
    fresh = ask(settings, f"SELECT source, freshness_seconds FROM {names.OPS}.freshness")
    families.append(_family("millrace_source_freshness_seconds", "Age of the newest events.", "source", fresh))
    errors = ask(settings, f"SELECT source, argMax(error_rate, hour) FROM {names.OPS}.error_rate GROUP BY source")
    said = "Share of this hour's records that were quarantined or rejected."
    return [*families, _family("millrace_source_error_ratio", said, "source", errors)]


def _from_postgres(settings: Settings) -> list[Metric]:
    with connect(settings) as conn:
        group = read_group(conn, names.STREAM_GROUP)
        entries = read_entries(conn, limit=_INTERVALS)
        alerts = open_alerts(conn)
    figures = {
        "alive": (int(group.alive), "Whether a driver holds the lease."),
        "epoch": (group.epoch, "Drivers that have held the lease so far."),
        "attempts": (group.attempts, "Launches since a driver last ran well."),
        "heartbeat_age_seconds": (group.heartbeat_age, "Since the driver's last heartbeat."),
        "progress_age_seconds": (group.progress_age, "Since a moment at which no query was behind."),
    }
    families = [
        _family(f"millrace_group_{name}", said, "group", [(group.group, value)])
        for name, (value, said) in figures.items()
    ]
    counted = {entry.source: 0 for entry in entries}
    for entry in entries:
        counted[entry.source] += not entry.balances
    said = "Intervals of the last lines of the ledger that do not balance."
    families.append(_family("millrace_ledger_unbalanced_intervals", said, "source", list(counted.items())))
    newest = {entry.source: entry.interval_end.timestamp() for entry in reversed(entries)}
    said = "End of the newest interval in the ledger."
    families.append(_family("millrace_ledger_interval_end_seconds", said, "source", list(newest.items())))
    opened = _gauge("millrace_open_alerts", "Alerts that somebody must look at.", "kind", "severity")
    for kind, severity in sorted({(alert.kind, alert.severity) for alert in alerts}):
        opened.add_metric([kind, severity], sum((a.kind, a.severity) == (kind, severity) for a in alerts))
    return [*families, opened]


def _from_kafka(settings: Settings) -> list[Metric]:
    sources = healthy_catalog(settings.project_dir).sources
    with connect(settings) as conn:
        behind = unread(settings, conn, sources)
    said = "Records in Kafka that landing has not committed, asked of Kafka itself."
    return [_family("millrace_landing_unread_records", said, "source", list(behind.items()))]


def _family(name: str, said: str, label: str, rows: Iterable[Sequence[Any]]) -> Metric:
    family = _gauge(name, said, label)
    for value, figure in rows:
        if figure is not None:
            family.add_metric([value], figure)
    return family


def _gauge(name: str, said: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, labels=labels)
