"""What must hold inside one source's contract, beyond the shape of its keys."""

from collections.abc import Iterator

from millrace.contracts.columns import EVENT_TIME, RESERVED
from millrace.contracts.duration import format_duration
from millrace.contracts.explain import Fault
from millrace.contracts.problem import one_of
from millrace.contracts.source import Source

_ID_TYPES = ("string", "int", "bigint")


def source_faults(source: Source) -> Iterator[Fault]:
    """Everything wrong with a well-formed contract; the lines are those of source.yaml."""
    yield from _named_fields(source)
    yield from _event_fields(source)
    yield from _personal_fields(source)
    yield from _reserved_fields(source)
    yield from _windows(source)


def _named_fields(source: Source) -> Iterator[Fault]:
    named = [(("event", "id"), source.event.id), (("event", "time"), source.event.time)]
    named += [(("topic", "key"), source.topic.key)] if source.topic.key else []
    named += [(("pii", field), field) for field in source.pii]
    for loc, field in named:
        if field not in source.fields:
            yield Fault(loc, f"{'.'.join(loc)} '{field}', which event.avsc does not have", one_of(source.fields, field))


def _event_fields(source: Source) -> Iterator[Fault]:
    identity, time = source.record.column(source.event.id), source.record.column(source.event.time)
    if identity and (identity.nullable or identity.spark_type not in _ID_TYPES):
        found = f"event.id '{identity.name}' of type {_shown(identity.spark_type, identity.nullable)}"
        yield Fault(("event", "id"), found, f"one of {', '.join(_ID_TYPES)}, never null")
    if time and (time.nullable or time.spark_type != "timestamp"):
        found = f"event.time '{time.name}' of type {_shown(time.spark_type, time.nullable)}"
        example = '{"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}}'
        yield Fault(("event", "time"), found, "a timestamp, never null (in JSON, ISO-8601 text will do)", example)


def _shown(spark_type: str, nullable: bool) -> str:
    return f"{spark_type}, nullable" if nullable else spark_type


def _personal_fields(source: Source) -> Iterator[Fault]:
    for field, rule in source.pii.items():
        if field == source.event.time:
            yield Fault(("pii", field), f"'{rule}' for event.time", "event.time as it is; models are built on it")
        if field == source.event.id and rule == "drop":
            yield Fault(("pii", field), "'drop' for event.id", "it kept, since duplicates are found by it", "pseudonym")


def _reserved_fields(source: Source) -> Iterator[Fault]:
    for field in source.fields:
        taken = field.lower() in RESERVED and field != EVENT_TIME.name
        if taken or (field.lower() == EVENT_TIME.name and field != source.event.time):
            found = f"field '{field}' in event.avsc, a name that Millrace uses for its own column"
            yield Fault((), found, "another name", f"{source.name}_{field}")


def _windows(source: Source) -> Iterator[Fault]:
    lateness, window = source.event.lateness, source.dedup_window
    if lateness > window:
        found = f"dedup_window of {format_duration(window)} and event.lateness of {format_duration(lateness)}"
        yield Fault(("dedup_window",), found, "lateness within the dedup window")
    if source.bronze_retention < window:
        found = f"bronze_retention of {format_duration(source.bronze_retention)}"
        yield Fault(("bronze_retention",), found, f"at least the dedup_window of {format_duration(window)}")
