"""Tables of `millrace quarantine`."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from millrace.control.quarantine import Plan
from millrace.quarantine.index import GroupLine, RecordLine

_COUNTS = ("open", "replayed", "superseded", "discarded")


def groups_table(groups: Sequence[GroupLine]) -> Table:
    """One line per group. Reasons hold what records said: never read as markup."""
    table = Table("group", "source", "stage", "reason", title="Quarantine")
    for name in _COUNTS:
        table.add_column(name, justify="right")
    table.add_column("first to last (UTC)")
    for group in groups:
        counts = [f"{getattr(group, name):,}" for name in _COUNTS]
        seen = f"{_minute(group.first_seen)} to {_minute(group.last_seen)}"
        table.add_row(group.group_id, group.source, group.stage, Text(group.reason_group), *counts, seen)
    return table


def records_table(group: GroupLine, records: Sequence[RecordLine]) -> Table:
    title = Text(f"{group.source}, {group.stage}: {group.reason_group}")
    table = Table("topic/partition/offset", "appended (UTC)", "reason", "decision", title=title)
    for record in records:
        place = f"{record.kafka_topic}/{record.kafka_partition}/{record.kafka_offset}"
        by = f" by {record.decided_by}: {record.why}" if record.decided_by else ""
        table.add_row(place, f"{record.append_time:%Y-%m-%d %H:%M:%S}", Text(record.reason), record.decision + by)
    return table


def plans_table(plans: Sequence[Plan]) -> Table:
    table = Table("plan", "made (UTC)", "by", "what", "matched", "ready", "applied by", "result")
    for plan in plans:
        report, result = plan.report, plan.result
        chosen = report.request.selection
        what = f"{report.request.action} {chosen.source}, {chosen.stage} {chosen.group or chosen.reason or ''}"
        done = f"{result.replayed} replayed, {result.superseded} landed, {result.discarded} discarded" if result else ""
        table.add_row(
            report.plan_id, _minute(plan.planned_at), report.request.by, Text(what), f"{report.matched:,}",
            f"{report.ready:,}", plan.applied_by or "", done,
        )  # fmt: skip
    return table


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
