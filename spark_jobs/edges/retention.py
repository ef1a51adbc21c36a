"""What a query does when Kafka has deleted records that it had not read: it stops, unless a person accepts that."""

import logging
from collections.abc import Mapping

from psycopg import Connection

from millrace.contracts.source import Source
from millrace.control.alerts import raise_alert, resolve_alerts
from millrace.control.losses import accepted_by, record_losses
from millrace.errors import MillraceError
from spark_jobs.edges.checkpoints import Checkpoint, Offsets

log = logging.getLogger(__name__)
Bounds = Mapping[int, tuple[int, int]]
"""Partition to the first offset that Kafka still has, and the end."""
Lost = Mapping[int, tuple[int, int]]
"""Partition to the first offset that was deleted unread, and the one after the last."""


class RecordsLost(MillraceError):
    """Kafka's retention was shorter than the query's lag; going on without these records is for a person to decide."""


class TopicCut(MillraceError):
    """Kafka holds less than the query has read: another topic of the same name, or a log that lost its end."""


def refuse_cut_topic(query: str, source: Source, position: Offsets, bounds: Bounds) -> None:
    """Raise TopicCut where the query stands beyond the end: offsets then mean other records than they did."""
    beyond = {p: (at, bounds.get(p, (0, 0))[1]) for p, at in position.items() if at > bounds.get(p, (0, 0))[1]}
    if beyond:
        told = "; ".join(f"partition {p}: at {at}, the topic ends at {end}" for p, (at, end) in sorted(beyond.items()))
        raise TopicCut(
            f"{query} has read more of topic '{source.topic.name}' than it holds: {told}. It was made anew, or its log "
            "was cut, and its offsets are used twice. Restore it, or have producers write to a topic of another name, "
            "with a source of its own."
        )


def lost_records(position: Offsets, bounds: Bounds) -> Lost:
    """What lies between where a query stands and what Kafka still has."""
    return {p: (at, bounds[p][0]) for p, at in position.items() if p in bounds and at < bounds[p][0]}


def go_on_after_losses(
    conn: Connection, query: str, source: Source, checkpoint: Checkpoint, position: Offsets, bounds: Bounds
) -> Offsets:
    """`position`, or where a person lets the query go on; raises RecordsLost where nobody did.

    A checkpoint that points at deleted records is set aside: Spark refuses to start from it.
    """
    lost = lost_records(position, bounds)
    if not lost:
        return position
    records = sum(end - first for first, end in lost.values())
    by = accepted_by(conn, source.name)
    if by is None:
        where = f"of topic '{source.topic.name}' that {query} had not read: {_told(lost)}"
        text = f"Kafka has deleted {records} records {where}"
        todo = f"Restore them, or go on without them: `millrace accept-loss {source.name} --why '...'`."
        raise_alert(conn, kind="records_lost", subject=query, message=text, severity="critical")
        raise RecordsLost(f"{text}. {todo}")
    log.error("%s goes on without %d records, accepted by %s: %s", query, records, by, _told(lost))
    record_losses(conn, query, source.name, lost)
    resolve_alerts(conn, "records_lost", query, by)
    if checkpoint.exists():
        checkpoint.set_aside()
    return position | {p: end for p, (_, end) in lost.items()}


def _told(lost: Lost) -> str:
    return "; ".join(f"partition {p}: offsets {first} to {end - 1}" for p, (first, end) in sorted(lost.items()))
