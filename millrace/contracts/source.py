"""A source's contract: business facts only, from `sources/<domain>/<source>/source.yaml` and `event.avsc`."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from millrace.contracts.avro import Record
from millrace.contracts.duration import parse_duration
from millrace.contracts.problem import Wrong

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""Written as `2 minutes`, `3 days`; units from seconds to days."""
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_TOPIC = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise Wrong(repr(value), "small letters, digits and '_', a letter first")
    return value


def _topic_name(value: str) -> str:
    if not _TOPIC.match(value):
        raise Wrong(repr(value), "letters, digits, '.', '_' and '-', up to 200 of them")
    return value


Name = Annotated[str, AfterValidator(_name)]
TopicName = Annotated[str, AfterValidator(_topic_name), Field(examples=["user-events"])]

FROM_PLACE = ("name", "domain", "folder", "record")
"""What a source knows from where its contract lies; never written in the file."""


class Strict(BaseModel):
    """Frozen, and refuses keys it does not know. A field's first example is what an error shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Topic(Strict):
    """The source's Kafka topic. Replication is what the business asks for; a small cluster gives less."""

    name: TopicName
    partitions: int = Field(default=3, ge=1, le=1000, examples=["6"])
    replication: int = Field(default=3, ge=1, le=9, examples=["3"])
    retention: Duration = timedelta(days=7)
    key: str | None = Field(default=None, examples=["user_id"])
    """Field whose value is the record key; none means no key."""
    max_record_bytes: int = Field(default=1_048_576, ge=1024, examples=["1048576"])
    """A larger record goes to quarantine; Kafka itself refuses what is beyond twice as much, or 32 MiB."""


class Event(Strict):
    """Which fields identify and date an event, and how long duplicates and stragglers are expected."""

    id: str = Field(examples=["event_id"])
    time: str = Field(examples=["timestamp"])
    lateness: Duration = timedelta(minutes=2)


class Source(Strict):
    """One kind of record. `domain`, `name`, `folder` and `record` come from where the contract lies."""

    name: Name
    domain: Name
    folder: Path
    record: Record
    kind: Literal["stream", "cdc", "poll"] = Field(default="stream", examples=["stream"])
    owner: str = Field(min_length=1, examples=["shop-data"])
    description: str = Field(min_length=1, examples=["One row per order."])
    topic: Topic = Field(examples=["{name: user-events, partitions: 6, retention: 3 days, key: user_id}"])
    format: Literal["json", "avro"] = Field(default="json", examples=["json"])
    event: Event = Field(examples=["{id: event_id, time: timestamp, lateness: 2 minutes}"])
    dedup_window: Duration = timedelta(days=3)
    live_retention: Duration = timedelta(days=3)
    bronze_retention: Duration = timedelta(days=90)
    pii: dict[str, Literal["pseudonym", "drop"]] = Field(default={}, examples=["{user_id: pseudonym}"])
    """What happens to personal fields on the way to live and silver: replaced by a keyed HMAC, or left out."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.record.fields)


def source_from(raw: dict[str, Any], folder: Path, record: Record) -> Source:
    """Build the contract that lies in `folder`; raises pydantic.ValidationError naming each wrong field."""
    return Source(**{**raw, "name": folder.name, "domain": folder.parent.name, "folder": folder, "record": record})
