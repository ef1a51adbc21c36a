"""The simulators: same seed, same events; every event fits its schema; faults come in the shares asked for."""

import io
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import fastavro
import pytest

from millrace.contracts.catalog import read_catalog
from millrace.contracts.read import read_source
from millrace.contracts.source import Source
from millrace.errors import ConfigError
from millrace.settings import ROOT
from simulators import generic
from simulators.codec import encoder
from simulators.event import Event
from simulators.run import Plan, Report, events, find

START = datetime.fromisoformat("2026-03-01T10:00:00+00:00").timestamp()
SHOP = read_catalog(ROOT).source("user_events")

EVERYTHING = {
    "type": "record",
    "name": "Everything",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "rating", "type": "int"},
        {"name": "conversion_rate", "type": "double"},
        {"name": "ok", "type": "boolean"},
        {"name": "blob", "type": "bytes"},
        {"name": "email", "type": "string"},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {
            "name": "place",
            "type": {"type": "record", "name": "Place", "fields": [{"name": "lat", "type": "double"}]},
        },
    ],
}
CONTRACT = """
owner: someone
description: Every type.
topic: {name: everything}
event: {id: id, time: at}
"""


@pytest.fixture
def everything(tmp_path: Path) -> Source:
    """A source that nobody wrote a simulator for."""
    folder = tmp_path / "sources" / "lab" / "everything"
    folder.mkdir(parents=True)
    (folder / "source.yaml").write_text(CONTRACT)
    (folder / "event.avsc").write_text(json.dumps(EVERYTHING))
    return read_source(folder)


def take(source: Source, plan: Plan) -> list[Event]:
    start = plan.start or START
    return list(events(source, plan, encoder(source), start, lambda: start))


def sent(source: Source, plan: Plan) -> list[bytes]:
    encode = encoder(source)
    return [e.raw if e.raw is not None else encode(e.fields) for e in take(source, plan)]


def plan(count: int, **more: float) -> Plan:
    return Plan(**{"rate": 20, "seed": 7, "start": START, "count": count, **more})  # type: ignore[arg-type]


def test_same_seed_same_bytes_with_all_faults() -> None:
    faulty = plan(2000, late=0.1, skewed=0.1, duplicates=0.1, malformed=0.1)
    assert sent(SHOP, faulty) == sent(SHOP, faulty)


def test_another_seed_shares_no_id() -> None:
    first = {e.id for e in take(SHOP, plan(500))}
    assert not first & {e.id for e in take(SHOP, plan(500, seed=8))}


def test_a_share_of_faults_leaves_the_other_events_as_they_were() -> None:
    clean = {e.id: e.fields for e in take(SHOP, plan(1000))}
    faulty = [e for e in take(SHOP, plan(1000, late=0.2, malformed=0.1)) if e.kind == "ok"]
    assert 600 < len(faulty) < 800
    assert all(clean[e.id] == e.fields for e in faulty)


def test_shop_events_are_those_of_the_contract() -> None:
    for text in sent(SHOP, plan(1000)):
        event = json.loads(text)
        assert tuple(event) == SHOP.fields
        assert UUID(event["event_id"]).version == 4
        assert isinstance(event["user_id"], int)
        assert event["event_type"] in ("login", "click", "purchase", "logout")
        assert event["source"] in ("web", "mobile")
        assert event["page"].startswith("/")
        assert len(event["timestamp"]) == len("2024-01-01T12:00:00.000000+00:00")
        assert datetime.fromisoformat(event["timestamp"]).utcoffset() is not None


def test_visitors_log_in_before_they_do_anything_else() -> None:
    online: Counter[int] = Counter()
    for event in take(SHOP, plan(5000)):
        step = {"login": 1, "logout": -1}.get(event.fields["event_type"], 0)
        assert step == 1 or online[event.fields["user_id"]] > 0
        online[event.fields["user_id"]] += step


def test_some_pages_and_visitors_come_back_more_than_others() -> None:
    flow = take(SHOP, plan(20_000))
    pages = Counter(e.fields["page"] for e in flow if e.fields["event_type"] == "click")
    types = Counter(e.fields["event_type"] for e in flow)
    assert pages["/"] > 5 * pages["/products/10"] > 0
    assert types["click"] > types["login"] > types["purchase"] > 100


@pytest.mark.parametrize("kind", ["late", "skewed", "duplicates", "malformed"])
def test_faults_come_in_the_share_asked_for(kind: str) -> None:
    kinds = Counter(e.kind for e in take(SHOP, plan(10_000, **{kind: 0.05})))
    assert sum(kinds.values()) == 10_000
    assert 400 < kinds[kind.removesuffix("s")] < 600  # type: ignore[index]


def test_late_events_are_older_than_the_lateness() -> None:
    late = [e for e in take(SHOP, plan(2000, late=0.1)) if e.kind == "late"]
    lateness = SHOP.event.lateness.total_seconds()
    assert late
    assert all(e.at - e.fields["timestamp"].timestamp() > lateness for e in late)


def test_a_duplicate_equals_an_earlier_event() -> None:
    seen: dict[str, dict[str, object]] = {}
    copies = 0
    for event in take(SHOP, plan(3000, duplicates=0.1, late=0.1, malformed=0.1)):
        if event.kind == "duplicate":
            copies += 1
            assert seen[event.id] == event.fields
        elif event.kind != "malformed":
            assert event.id not in seen
            seen[event.id] = event.fields
    assert copies > 200


def test_a_malformed_event_breaks_the_schema() -> None:
    broken = [e for e in take(SHOP, plan(3000, malformed=0.1)) if e.kind == "malformed"]
    assert len(broken) > 200
    for event in broken:
        assert event.raw is not None
        assert not fits_the_shop(event.raw)


def fits_the_shop(value: bytes) -> bool:
    try:
        event = json.loads(value.decode())
        datetime.fromisoformat(event["timestamp"])
    except (ValueError, KeyError):
        return False
    return (
        event.keys() == set(SHOP.fields)
        and isinstance(event["user_id"], int)
        and event["event_type"] in ("login", "click", "purchase", "logout")
        and event["source"] in ("web", "mobile")
    )


def test_any_source_can_be_fed_from_its_schema(everything: Source) -> None:
    assert find(everything) is generic.SIMULATOR
    values = [json.loads(text) for text in sent(everything, plan(300))]
    assert len({v["id"] for v in values}) == 300
    assert {v["colour"] for v in values} == {"red", "green"}
    assert {v["note"] is None for v in values} == {True, False}
    for value in values:
        assert tuple(value) == everything.fields
        assert 1 <= value["rating"] <= 5
        assert 0 <= value["conversion_rate"] <= 1
        assert datetime.fromisoformat(value["at"])
        assert datetime.fromisoformat(value["day"])
        assert isinstance(value["price"], float)
        assert isinstance(value["ok"], bool)
        assert isinstance(value["place"]["lat"], float)
        assert isinstance(value["tags"], list)


def test_every_source_of_the_project_can_be_fed() -> None:
    for source in read_catalog(ROOT).sources:
        if source.format == "json":
            assert all(tuple(json.loads(text)) == source.fields for text in sent(source, plan(20)))


def test_avro_comes_in_confluent_wire_format(everything: Source) -> None:
    source = everything.model_copy(update={"format": "avro"})
    encode, schema = encoder(source, 7), fastavro.parse_schema(json.loads(source.record.text))
    for event in events(source, plan(50), encode, START, lambda: START):
        value = encode(event.fields)
        assert value[:5] == b"\0\0\0\0\7"
        assert fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None) == readable(event.fields)


def readable(fields: dict[str, Any]) -> dict[str, Any]:
    """What a reader of the schema gets: its times have milliseconds."""
    at: datetime = fields["at"]
    return fields | {"at": at.replace(microsecond=at.microsecond // 1000 * 1000)}


def test_broken_avro_cannot_be_read(everything: Source) -> None:
    source = everything.model_copy(update={"format": "avro"})
    encode, schema = encoder(source, 7), fastavro.parse_schema(json.loads(source.record.text))
    broken = [e.raw for e in events(source, plan(500, malformed=0.2), encode, START, lambda: START) if e.raw]
    assert len(broken) > 50
    for value in broken:
        if value[:5] == b"\0\0\0\0\7":
            with pytest.raises((EOFError, IndexError, ValueError)):
                fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)


def test_avro_without_the_id_of_its_schema_is_refused(everything: Source) -> None:
    with pytest.raises(ConfigError, match="id of its schema"):
        encoder(everything.model_copy(update={"format": "avro"}))


def test_speed_up_moves_event_time_faster() -> None:
    flow = take(SHOP, plan(100, speed_up=60, steady=True))
    assert flow[-1].at - flow[0].at == pytest.approx(99 * 60 / 20)


def test_generic_ids_follow_the_seed(everything: Source) -> None:
    ids = [e.id for e in generic.generate(everything, Random(3), iter([START, START]))]
    assert ids == [e.id for e in generic.generate(everything, Random(3), iter([START, START]))]


def test_the_report_reads_well(tmp_path: Path) -> None:
    report = Report("user_events", "user-events", 7, 3, 2, 1, {"ok": 2, "late": 1}, {"Local: timed out": 1}, 1.5)
    report.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["kinds"] == {"ok": 2, "late": 1}
    assert report.line == (
        "user_events to user-events: sent 3 (1 late, 2 ok), acknowledged 2, failed 1; 2/s over 1.5 s; seed 7"
    )
