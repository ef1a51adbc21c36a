"""Sends fixed records through their own topic again, and says what became of each."""

from collections.abc import Callable, Sequence
from datetime import UTC
from functools import cached_property, partial

from confluent_kafka import Producer
from pyspark.sql import Row

from millrace.contracts.source import Source
from millrace.control.quarantine import Decided, Decision
from millrace.quarantine.request import Request
from millrace.settings import Settings
from millrace.topics import largest_message
from spark_jobs.edges.producing import Delivered, Outgoing, open_producer, refuse_failures, send

REPLAY, REPLAY_OF = "millrace.replay", "millrace.replay-of"
"""Headers: the plan, and topic/partition/offset of the record that comes again."""
_DECIDED: dict[str, Decided] = {"ready": "replayed", "landed": "superseded", "discarded": "discarded"}


class Resending:
    """One application of a plan."""

    def __init__(self, settings: Settings, source: Source, plan_id: str, request: Request, by: str) -> None:
        self._settings, self._source, self._plan_id, self._request, self._by = settings, source, plan_id, request, by

    def send(self, rows: Sequence[Row]) -> tuple[list[Decision], Callable[[], None]]:
        """Send what is ready and wait for every acknowledgement.

        Gives the decisions about what is done, and what to call once they are written: it raises TransientError when
        a record was not acknowledged.
        """
        ready = [row for row in rows if row["outcome"] == "ready"]
        topic = self._source.topic.name
        delivered = send(self._producer, topic, [self._outgoing(row) for row in ready]) if ready else []
        there = [(row, Delivered()) for row in rows if row["outcome"] != "ready"]
        sent = [(row, done) for row, done in zip(ready, delivered, strict=True) if not done.error]
        decisions = [self._decision(row, done) for row, done in [*sent, *there]]
        return decisions, partial(refuse_failures, topic, delivered)

    @cached_property
    def _producer(self) -> Producer:
        return open_producer(self._settings, largest_message(self._source))

    def _outgoing(self, row: Row) -> Outgoing:
        """The record's own headers, without those of an earlier replay, then ours."""
        original = row["_original"]
        theirs = [(h["key"], h["value"]) for h in original["headers"] or [] if h["key"] not in {REPLAY, REPLAY_OF}]
        ours = [(REPLAY, self._plan_id), (REPLAY_OF, position(original))]
        return Outgoing(original["key"], row["value"], [*theirs, *ours])

    def _decision(self, row: Row, done: Delivered) -> Decision:
        original, sent = row["_original"], row["outcome"] == "ready"
        return Decision(
            source=self._source.name,
            stage=self._request.selection.stage,
            kafka_topic=original["kafka_topic"],
            kafka_partition=original["kafka_partition"],
            kafka_offset=original["kafka_offset"],
            append_time=original["append_time"].astimezone(UTC),
            decision=_DECIDED[row["outcome"]],
            plan_id=self._plan_id,
            why=self._request.why or self._request.fix or "as it was",
            decided_by=self._by,
            to_partition=done.partition if sent else None,
            to_offset=done.offset if sent else None,
        )


def position(row: Row) -> str:
    return f"{row['kafka_topic']}/{row['kafka_partition']}/{row['kafka_offset']}"
