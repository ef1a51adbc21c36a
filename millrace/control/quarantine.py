"""Plans for quarantined records, and the decisions about each of them: the copy that counts, in PostgreSQL."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from millrace.errors import ConfigError
from millrace.quarantine.report import Applied, Report
from millrace.quarantine.request import Selection

Decided = Literal["replayed", "superseded", "discarded"]
Position = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True)
class Plan:
    """A dry run that was kept, so that exactly what it showed can be approved and applied."""

    report: Report
    lake_version: int
    """Version of the Delta table in which the records were found."""
    planned_at: datetime
    applied_at: datetime | None
    applied_by: str | None = None
    result: Applied | None = None


@dataclass(frozen=True)
class Decision:
    """What became of one record."""

    source: str
    stage: str
    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    append_time: datetime
    decision: Decided
    plan_id: str
    why: str
    decided_by: str
    to_partition: int | None = None
    to_offset: int | None = None
    """Where the replayed record lies now."""
    decided_at: datetime | None = field(default=None)
    """Set by the database."""


_COLUMNS = tuple(f.name for f in fields(Decision))
_WRITTEN = _COLUMNS[:-1]
_DECIDE = f"""
INSERT INTO ops.quarantine_decisions ({", ".join(_WRITTEN)}) VALUES ({", ".join(["%s"] * len(_WRITTEN))})
ON CONFLICT (source, stage, kafka_topic, kafka_partition, kafka_offset) DO UPDATE SET
    decided_at = now(), {", ".join(f"{name} = excluded.{name}" for name in _WRITTEN[6:])}
"""


def save_plan(conn: Connection, report: Report, lake_version: int) -> None:
    conn.execute(
        "INSERT INTO ops.quarantine_plans (plan_id, source, request, lake_version, report) VALUES (%s, %s, %s, %s, %s)",
        (
            report.plan_id,
            report.request.selection.source,
            report.request.model_dump_json(),
            lake_version,
            report.model_dump_json(),
        ),
    )


def read_plan(conn: Connection, plan_id: str) -> Plan:
    """Raises ConfigError when there is no such plan."""
    found = read_plans(conn, plan_id=plan_id, limit=1)
    if not found:
        raise ConfigError(f"no plan '{plan_id}'; `millrace quarantine plans` lists them")
    return found[0]


def read_plans(conn: Connection, *, plan_id: str | None = None, limit: int) -> list[Plan]:
    """Plans, the newest first."""
    rows = conn.execute(
        """SELECT report, lake_version, planned_at, applied_at, applied_by, result FROM ops.quarantine_plans
           WHERE %(plan)s::text IS NULL OR plan_id = %(plan)s ORDER BY planned_at DESC LIMIT %(limit)s""",
        {"plan": plan_id, "limit": limit},
    ).fetchall()
    return [
        Plan(Report.model_validate(report), version, planned_at, applied_at, by, result and Applied(**result))
        for report, version, planned_at, applied_at, by, result in rows
    ]


def close_plan(conn: Connection, plan_id: str, by: str) -> Applied:
    """Count what the plan decided, over all its attempts, and mark it as applied."""
    rows = conn.execute(
        "SELECT decision, count(*) FROM ops.quarantine_decisions WHERE plan_id = %s GROUP BY decision", (plan_id,)
    ).fetchall()
    applied = Applied(plan_id=plan_id, **dict(rows))
    conn.execute(
        "UPDATE ops.quarantine_plans SET applied_by = %s, applied_at = now(), result = %s WHERE plan_id = %s",
        (by, applied.model_dump_json(), plan_id),
    )
    return applied


def decide(conn: Connection, decisions: Iterable[Decision]) -> None:
    """Write decisions, all or none; a newer one about the same record takes the older one's place."""
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(_DECIDE, [astuple(decision)[:-1] for decision in decisions])


def decided_positions(
    conn: Connection, selection: Selection, *, before: datetime | None = None, since: datetime | None = None
) -> list[Position]:
    """Records of the selection's source and stage that were decided about in a stretch of time."""
    return conn.execute(
        """SELECT kafka_topic, kafka_partition, kafka_offset FROM ops.quarantine_decisions
           WHERE source = %(source)s AND stage = %(stage)s
             AND (%(until)s::timestamptz IS NULL OR append_time < %(until)s)
             AND (%(from)s::timestamptz IS NULL OR append_time >= %(from)s)
             AND (%(before)s::timestamptz IS NULL OR decided_at < %(before)s)
             AND (%(since)s::timestamptz IS NULL OR decided_at >= %(since)s)""",
        {
            "source": selection.source, "stage": selection.stage, "from": selection.since, "until": selection.until,
            "before": before, "since": since,
        },
    ).fetchall()  # fmt: skip


def decisions_since(conn: Connection, source: str, moment: datetime) -> Sequence[Decision]:
    """Decisions about a source's records, for the copy in ClickHouse."""
    with conn.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(
            f"""SELECT {", ".join(_COLUMNS)} FROM ops.quarantine_decisions
                WHERE source = %s AND decided_at >= %s ORDER BY decided_at""".encode(),
            (source, moment),
        ).fetchall()
