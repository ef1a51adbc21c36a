"""The index of quarantine in ClickHouse: groups, records without their content, and the copy of what was decided."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client
from psycopg import Connection

from millrace import names
from millrace.control.quarantine import Decision, decisions_since
from millrace.errors import ConfigError

DECISIONS = "quarantine_decisions"
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class GroupLine:
    """Records of a source that one stage refused for the same reason."""

    group_id: str
    source: str
    stage: str
    reason_group: str
    open: int
    replayed: int
    superseded: int
    discarded: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class RecordLine:
    """One record: where it lies, why it is in quarantine, what became of it."""

    kafka_topic: str
    kafka_partition: int
    kafka_offset: int
    append_time: datetime
    reason: str
    decision: str
    why: str
    decided_by: str
    plan_id: str


def read_groups(client: Client, *, source: str | None = None, stage: str | None = None) -> list[GroupLine]:
    """All groups, those with most open records first."""
    rows = client.query(
        f"""SELECT {_names(GroupLine)} FROM {names.OPS}.quarantine_groups
            WHERE (%(source)s = '' OR source = %(source)s) AND (%(stage)s = '' OR stage = %(stage)s)
            ORDER BY open DESC, last_seen DESC, group_id""",
        parameters={"source": source or "", "stage": stage or ""},
    ).result_rows
    return [GroupLine(*row) for row in rows]


def find_group(client: Client, group: str) -> GroupLine:
    """The group with this id; raises ConfigError when there is none."""
    for line in read_groups(client):
        if line.group_id == group:
            return line
    raise ConfigError(f"no group '{group}' in quarantine; `millrace quarantine list --all` shows them")


def read_records(client: Client, group: str, limit: int) -> list[RecordLine]:
    """The newest records of a group."""
    rows = client.query(
        f"""SELECT {_names(RecordLine)} FROM {names.OPS}.quarantine_records WHERE group_id = %(group)s
            ORDER BY append_time DESC, kafka_partition, kafka_offset DESC LIMIT %(limit)s""",
        parameters={"group": group, "limit": limit},
    ).result_rows
    return [RecordLine(*row) for row in rows]


def copy_decisions(conn: Connection, client: Client, source: str) -> int:
    """Bring ClickHouse up to PostgreSQL, from the newest decision that it has; gives how many lines that took."""
    newest = client.query(
        f"SELECT max(decided_at) FROM {names.OPS}.{DECISIONS} WHERE source = %(source)s", parameters={"source": source}
    ).result_rows[0][0]
    since = max(newest.replace(tzinfo=UTC) if newest.tzinfo is None else newest, _BEGINNING)
    missing = decisions_since(conn, source, since)
    if missing:
        columns = [f.name for f in fields(Decision)]
        rows = [astuple(decision) for decision in missing]
        client.insert(DECISIONS, rows, column_names=columns, database=names.OPS)
    return len(missing)


def as_json(line: GroupLine | RecordLine) -> dict[str, object]:
    """For `--json`: times as ISO-8601."""
    return dict(_portable(line))


def _portable(line: GroupLine | RecordLine) -> Iterator[tuple[str, object]]:
    for name, value in vars(line).items():
        yield name, value.isoformat() if isinstance(value, datetime) else value


def _names(line: type) -> str:
    return ", ".join(f.name for f in fields(line))
