"""What the page shows, read afresh from the control plane and from ClickHouse."""

from typing import Any

from millrace import names
from millrace.control.alerts import Alert, open_alerts
from millrace.control.database import connect
from millrace.control.groups import GroupState, read_group
from millrace.control.ledger import Entry, read_entries
from millrace.settings import Settings
from millrace_airflow.pages.section import Cell, Section, Tone, age, count, moment, section, span
from millrace_airflow.progress import QueryProgress, ask, query_progress

_GATES = """
SELECT max(ran_at) AS at, layer || '.' || `table` AS name, interval, count(),
    countIf(NOT success AND severity = 'critical'), countIf(NOT success AND severity != 'critical'),
    max(element_count), run_id
FROM ops.gate_results FINAL GROUP BY gate_id, name, interval, run_id ORDER BY at DESC LIMIT 15"""
_QUARANTINE = """
SELECT group_id, source, stage, reason_group, open, replayed + superseded, discarded, last_seen
FROM ops.quarantine_groups WHERE open > 0 OR last_seen > now() - INTERVAL 1 DAY
ORDER BY open DESC, last_seen DESC LIMIT 15"""
_MESSAGE = 400
"""Characters of an alert that the page shows."""
_LEDGER_COLUMNS = (
    "interval (UTC)", "source", "acked", "bronze", "quarantined", "silver", "duplicates", "rejected", "gold", "served",
    "live", "balance",
)  # fmt: skip


def overview(settings: Settings) -> tuple[Section, ...]:
    """Every section of the page below the stream groups."""
    return (
        section(
            "Open alerts",
            "What somebody must look at; `millrace alerts --resolve <id>` closes one by hand.",
            ("since (UTC)", "severity", "kind", "subject", "message", "times", "id"),
            lambda: [_alert_row(alert) for alert in _read_alerts(settings)],
        ),
        section(
            "Streaming queries",
            "Rates of the last minute; lag counts the records in Kafka that a query has not read yet.",
            ("query", "rows/s", "lag", "freshness", "batch p95", "batches/min", "last batch"),
            lambda: [_query_row(progress) for progress in query_progress(settings)],
        ),
        section(
            "Gates",
            "The latest audits; a critical rule that breaks blocks publication, a warning is reported.",
            ("ran at (UTC)", "table", "interval", "rules", "critical", "warnings", "rows", "run"),
            lambda: [_gate_row(*row) for row in ask(settings, _GATES)],
        ),
        section(
            "Ledger",
            "Acked in Kafka = bronze + quarantined; bronze = silver + duplicates + rejected; silver = its copies.",
            _LEDGER_COLUMNS,
            lambda: [_ledger_row(entry) for entry in _read_ledger(settings)],
        ),
        section(
            "Quarantine",
            "Records that could not go on, by reason; their bytes are in the lake. Also: `millrace quarantine`.",
            ("group", "source", "stage", "reason", "open", "replayed", "discarded", "newest (UTC)"),
            lambda: [_quarantine_row(*row) for row in ask(settings, _QUARANTINE)],
            dag=names.QUARANTINE_DAG,
        ),
    )


def read_groups(settings: Settings) -> list[GroupState]:
    """State of every stream group; raises TransientError when PostgreSQL does not answer."""
    with connect(settings) as conn:
        return [read_group(conn, names.STREAM_GROUP)]


def group_tone(group: GroupState, settings: Settings) -> Tone:
    """How well a group does what is wished of it."""
    if group.stalled(settings.stall_after) or (group.desired == "running" and not group.alive):
        return "bad"
    return "good" if group.state == "running" else "warn"


def _query_row(p: QueryProgress) -> list[Cell]:
    behind: Tone = "warn" if p.lag > 10 * max(p.rows_per_second, 100) else ""
    return [
        Cell(p.query), Cell(count(p.rows_per_second)), Cell(count(p.lag), behind), Cell(age(p.freshness)),
        Cell(age(p.batch_p95)), Cell(count(p.batches)), Cell(age(p.idle), "dim"),
    ]  # fmt: skip


def _gate_row(
    at: Any, table: str, interval: str, rules: int, critical: int, warnings: int, rows: int, run: str
) -> list[Cell]:
    return [
        Cell(moment(at)), Cell(table), Cell(span(interval), "dim"), Cell(count(rules)),
        Cell(count(critical), "bad" if critical else "good"), Cell(count(warnings), "warn" if warnings else ""),
        Cell(count(rows)), Cell(run, "dim"),
    ]  # fmt: skip


def _read_alerts(settings: Settings) -> list[Alert]:
    with connect(settings) as conn:
        return open_alerts(conn, limit=20)


def _alert_row(a: Alert) -> list[Cell]:
    tone: Tone = "bad" if a.severity == "critical" else "warn"
    return [
        Cell(moment(a.at)), Cell(a.severity, tone), Cell(a.kind), Cell(a.subject), Cell(a.message[:_MESSAGE]),
        Cell(count(a.times), "dim"), Cell(str(a.id), "dim"),
    ]  # fmt: skip


def _read_ledger(settings: Settings) -> list[Entry]:
    with connect(settings) as conn:
        return read_entries(conn, limit=12)


def _ledger_row(entry: Entry) -> list[Cell]:
    return [
        Cell(f"{entry.interval_start:%Y-%m-%d %H:%M} to {entry.interval_end:%H:%M:%S}"), Cell(entry.source),
        Cell(count(entry.kafka_acked) or "unknown"), Cell(count(entry.bronze)),
        Cell(count(entry.quarantined), "warn" if entry.quarantined else ""), Cell(count(entry.silver)),
        Cell(count(entry.duplicates)), Cell(count(entry.rejected), "warn" if entry.rejected else ""),
        *(Cell(count(rows)) for rows in (entry.gold, entry.served, entry.live)),
        Cell(entry.verdict, "good" if entry.balances else "bad"),
    ]  # fmt: skip


def _quarantine_row(
    group: str, source: str, stage: str, reason: str, waiting: int, replayed: int, discarded: int, newest: Any
) -> list[Cell]:
    return [
        Cell(group), Cell(source), Cell(stage), Cell(reason), Cell(count(waiting), "warn" if waiting else ""),
        Cell(count(replayed)), Cell(count(discarded)), Cell(moment(newest), "dim"),
    ]  # fmt: skip
