"""What a query does where Kafka no longer has what it was to read: it stops, unless a person accepts the loss."""

import logging
from collections.abc import Mapping

from psycopg import Connection

from millrace.contracts.source import Source
from millrace.control.alerts import raise_alert, resolve_alerts
from millrace.control.losses import accepted_by, record_losses
from millrace.control.topics import remember_topic, topic_read
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


def refuse_another_topic(
    conn: Connection, query: str, source: Source, topic_id: str | None, position: Offsets, bounds: Bounds
) -> None:
    """Raise RecordsLost where the topic is not the one that the query has read up to `position`, but made anew.

    It would go on in the middle of the new one. Once a person accepts that, what lies before is written off.
    """
    topic = source.topic.name
    known = topic_read(conn, query, topic)
    if topic_id is None or known == topic_id:
        return
    unread = {p: (bounds[p][0], at) for p, at in position.items() if p in bounds and at > bounds[p][0]}
    if known is not None and unread:
        text = f"Topic '{topic}' was made anew since {query} has read it: its records are others, up to {_told(unread)}"
        _write_off(conn, query, source, unread, text)
    remember_topic(conn, query, topic, topic_id)


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
    where = f"of topic '{source.topic.name}' that {query} had not read: {_told(lost)}"
    _write_off(conn, query, source, lost, f"Kafka has deleted {records} records {where}")
    if checkpoint.exists():
        checkpoint.set_aside()
    return position | {p: end for p, (_, end) in lost.items()}


def _write_off(conn: Connection, query: str, source: Source, lost: Lost, text: str) -> None:
    """Write down what the query goes on without; raises RecordsLost, after an alert, where nobody has accepted it."""
    by = accepted_by(conn, source.name)
    if by is None:
        raise_alert(conn, kind="records_lost", subject=query, message=text, severity="critical")
        todo = f"Restore them, or go on without them: `millrace accept-loss {source.name} --why '...'`."
        raise RecordsLost(f"{text}. {todo}")
    log.error("%s goes on, accepted by %s. %s", query, by, text)
    record_losses(conn, query, source.name, lost)
    resolve_alerts(conn, "records_lost", query, by)


def _told(lost: Lost) -> str:
    return "; ".join(f"partition {p}: offsets {first} to {end - 1}" for p, (first, end) in sorted(lost.items()))
