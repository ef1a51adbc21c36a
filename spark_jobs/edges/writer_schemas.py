"""The schemas that a source's writers use, for Avro; JSON needs none."""

from collections.abc import Mapping

from millrace import registry
from millrace.contracts.source import Source
from millrace.errors import MillraceError
from millrace.settings import Settings


class SchemaAppeared(MillraceError):
    """A writer has registered a schema since this query started: it must start again to read it."""


def writer_schemas(settings: Settings, source: Source) -> Mapping[int, str]:
    """Schema id to schema, of every version that the registry has now."""
    return registry.schemas(settings, source) if source.format == "avro" else {}


def refuse_new_schemas(settings: Settings, source: Source, known: Mapping[int, str]) -> None:
    """Asked about a batch with bad records, before any of it is written: they may only be newer than this query."""
    appeared = set(registry.schema_ids(settings, source).values()) - set(known)
    if appeared:
        raise SchemaAppeared(f"{source.name}: writers have registered schema {sorted(appeared)}; starting again")
