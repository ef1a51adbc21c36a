"""Sending fixed records again: what is decided about those that went, and about those that did not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace.contracts.catalog import read_catalog
from millrace.errors import TransientError
from millrace.quarantine.request import request_from
from millrace.settings import ROOT, Settings
from spark_jobs.edges import resending as module
from spark_jobs.edges.producing import Delivered, Outgoing

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(offset: int, outcome: str) -> dict[str, Any]:
    headers = [{"key": "trace", "value": b"t"}, {"key": "millrace.replay", "value": b"an earlier plan"}]
    original = {
        "key": b"k", "headers": headers, "kafka_topic": "user-events", "kafka_partition": 3, "kafka_offset": offset,
        "append_time": AT,
    }  # fmt: skip
    return {"outcome": outcome, "value": b"new", "_original": original}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A broker that takes every record but the second."""
    taken: list[Outgoing] = []

    def send(_producer, topic, records):
        assert topic == "user-events"
        taken.extend(records)
        return [Delivered(error="too large") if n == 1 else Delivered(0, 100 + n) for n in range(len(records))]

    monkeypatch.setattr(module, "send", send)
    monkeypatch.setattr(module, "open_producer", lambda *_: None)
    return taken


@pytest.fixture
def resending() -> module.Resending:
    source = read_catalog(ROOT).source("user_events")
    request = request_from(source="user_events", action="replay", by="ann", fix="upper(text)")
    return module.Resending(Settings(), source, "p1", request, "bob")


def test_what_the_broker_took_is_decided_and_the_rest_raises_afterwards(resending, sent):
    decisions, raise_failures = resending.send([row(1, "ready"), row(2, "ready"), row(3, "landed"), row(4, "ready")])
    assert [(d.kafka_offset, d.decision, d.to_offset) for d in decisions] == [
        (1, "replayed", 100), (4, "replayed", 102), (3, "superseded", None),
    ]  # fmt: skip
    assert {(d.plan_id, d.decided_by, d.why, d.append_time) for d in decisions} == {("p1", "bob", "upper(text)", AT)}
    with pytest.raises(TransientError, match="1 of 3 records did not reach topic user-events: too large"):
        raise_failures()


def test_a_record_keeps_its_key_and_headers_and_says_where_it_came_from(resending, sent):
    resending.send([row(7, "ready")])
    [record] = sent
    assert (record.key, record.value) == (b"k", b"new")
    assert record.headers == [
        ("trace", b"t"), ("millrace.replay", "p1"), ("millrace.replay-of", "user-events/3/7"),
    ]  # fmt: skip


def test_what_is_discarded_is_not_sent(resending, sent):
    decisions, raise_failures = resending.send([row(1, "discarded")])
    raise_failures()
    assert [d.decision for d in decisions] == ["discarded"]
    assert sent == []
