"""The section of one source: what it promises, its fields, and its tables."""

from millrace import names
from millrace.contracts.avro import Column
from millrace.contracts.columns import live_columns
from millrace.contracts.duration import format_duration
from millrace.contracts.source import Source
from millrace.pages.markdown import code, table


def source_section(source: Source) -> str:
    return "\n\n".join(
        [
            f"### {source.name}",
            source.description,
            _promises(source),
            table(("field", "type", "null", "meaning", "in live and silver"), _fields(source)),
            table(("where", "name"), _places(source)),
        ]
    )


def _promises(source: Source) -> str:
    topic, event = source.topic, source.event
    key = f"key {code(topic.key)}" if topic.key else "no key"
    lateness, window = format_duration(event.lateness), format_duration(source.dedup_window)
    in_live, in_bronze = format_duration(source.live_retention), format_duration(source.bronze_retention)
    facts = [
        f"Owner: {source.owner}. Kind: {source.kind}, in {source.format}.",
        f"Topic {code(topic.name)}: {topic.partitions} partitions, replication {topic.replication}, "
        f"kept {format_duration(topic.retention)}, {key}.",
        f"An event is known by {code(event.id)} and dated by {code(event.time)}. Live counts a repeated id once within "
        f"{lateness}, silver within {window}.",
        f"Kept {in_live} in live and {in_bronze} in bronze.",
    ]
    return "\n".join(f"- {fact}" for fact in facts)


def _fields(source: Source) -> list[tuple[str, ...]]:
    refined = {column.name for column in live_columns(source)}
    return [
        (code(f.name), _type(f), "yes" if f.nullable else "no", f.doc, _refined_as(source, f, refined))
        for f in source.record.fields
    ]


def _type(field: Column) -> str:
    return f"{field.spark_type}: {', '.join(field.symbols)}" if field.symbols else field.spark_type


def _refined_as(source: Source, field: Column, refined: set[str]) -> str:
    if source.pii.get(field.name) == "pseudonym":
        return "a pseudonym (keyed HMAC)"
    if field.name == source.event.time:
        return code("event_time")
    return "as it is" if field.name in refined else "left out"


def _places(source: Source) -> list[tuple[str, str]]:
    return [
        ("topic, dead letters", f"{code(source.topic.name)}, {code(names.dead_letter_topic(source.topic.name))}"),
        ("schema registry", code(names.subject(source.topic.name))),
        ("lake", ", ".join(code(f"{layer}/{source.name}") for layer in ("bronze", "quarantine", "silver", "rejected"))),
        ("ClickHouse", code(f"{names.LIVE}.{source.name}")),
        ("suites", ", ".join(suite_link(layer, source.name) for layer in ("bronze", "silver"))),
    ]


def suite_link(layer: str, table_name: str) -> str:
    """A link from a page of the catalog to the suite of a table."""
    return f"[{layer}/{table_name}](../../expectations/{layer}/{table_name}.json)"
