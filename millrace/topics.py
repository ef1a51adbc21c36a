"""Kafka topics as the contracts want them: created, grown and configured, never shrunk or deleted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.errors import TransientError
from millrace.kafka import client_settings
from millrace.settings import Settings

_TIMEOUT = 20
DEAD_LETTER_RETENTION = timedelta(days=30)
RESULT_RETENTION = timedelta(days=7)
LARGEST_RESULT = 1_048_576
"""Bytes of one result of a stream model in its topic, with its key and Kafka's own."""
FRAME = 1024
"""Bytes that Kafka adds to a message, at most."""
_ROOM = 32 * 1024 * 1024
_HEADERS = 1024 * 1024


@dataclass(frozen=True)
class TopicSpec:
    """One topic as it should be."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str] = field(default_factory=dict)


def admin(settings: Settings) -> AdminClient:
    return AdminClient(client_settings(settings) | {"socket.timeout.ms": 10_000, "log_level": 4})


def wanted_topics(settings: Settings, catalog: Catalog) -> tuple[TopicSpec, ...]:
    """Every topic that the catalog implies: sources, their dead letters, and what stream models publish."""
    cap = settings.kafka_max_replication
    specs = [_source_topic(s, cap) for s in catalog.sources]
    specs += [_dead_letters(s, cap) for s in catalog.sources]
    specs += [TopicSpec(m.topic, 3, min(3, cap), _results()) for m in catalog.streams if m.topic]
    return tuple(specs)


def ensure_topics(kafka: AdminClient, specs: Iterable[TopicSpec]) -> list[str]:
    """Create what is missing, add partitions, set the configuration; gives the names of the created topics."""
    try:
        existing = kafka.list_topics(timeout=_TIMEOUT).topics
        wanted = list(specs)
        missing = [s for s in wanted if s.name not in existing]
        grown = [s for s in wanted if s.name in existing and len(existing[s.name].partitions) < s.partitions]
        _await(kafka.create_topics([_new(s) for s in missing]) if missing else {})
        _await(kafka.create_partitions([NewPartitions(s.name, s.partitions) for s in grown]) if grown else {})
        _configure(kafka, [s for s in wanted if s.name in existing])
    except KafkaException as error:
        raise TransientError(f"Kafka did not do as asked: {error}; see `make doctor`") from error
    return [s.name for s in missing]


def topic_id(kafka: AdminClient, topic: str) -> str | None:
    """Kafka's own id of a topic, as hexadecimal digits; None from a broker that gives it none."""
    try:
        found: Any = kafka.describe_topics(TopicCollection([topic]))[topic].result(_TIMEOUT).topic_id
    except KafkaException as error:
        raise TransientError(f"Kafka did not say what topic '{topic}' is: {error}; see `make doctor`") from error
    halves = (found.get_most_significant_bits(), found.get_least_significant_bits())
    return "".join(f"{half % 2**64:016x}" for half in halves) if any(halves) else None


def largest_message(source: Source) -> int:
    """What the topic takes: well above the contract's limit, so that a record beyond it is seen, and quarantined."""
    return max(_ROOM, 2 * source.topic.max_record_bytes)


def largest_dead_letter(source: Source) -> int:
    """Room for the largest record and the headers that say why it is here."""
    return largest_message(source) + _HEADERS


def _source_topic(source: Source, cap: int) -> TopicSpec:
    topic = source.topic
    config = _config(topic.retention) | {"max.message.bytes": str(largest_message(source))}
    return TopicSpec(topic.name, topic.partitions, min(topic.replication, cap), config)


def _dead_letters(source: Source, cap: int) -> TopicSpec:
    config = _config(DEAD_LETTER_RETENTION) | {"max.message.bytes": str(largest_dead_letter(source) + _HEADERS)}
    return TopicSpec(names.dead_letter_topic(source.topic.name), 1, min(source.topic.replication, cap), config)


def _results() -> dict[str, str]:
    return _config(RESULT_RETENTION) | {"max.message.bytes": str(LARGEST_RESULT + FRAME)}


def _config(retention: timedelta) -> dict[str, str]:
    """LogAppendTime: the broker's clock dates the records, so hour boundaries are exact and monotonic."""
    milliseconds = int(retention.total_seconds() * 1000)
    return {"message.timestamp.type": "LogAppendTime", "retention.ms": str(milliseconds)}


def _new(spec: TopicSpec) -> NewTopic:
    config = spec.config | ({"min.insync.replicas": str(spec.replication - 1)} if spec.replication > 2 else {})
    return NewTopic(spec.name, spec.partitions, spec.replication, config=config)


def _configure(kafka: AdminClient, specs: list[TopicSpec]) -> None:
    if not specs:
        return
    resources = [ConfigResource(ResourceType.TOPIC, s.name) for s in specs]
    found = {r.name: f.result(_TIMEOUT) for r, f in kafka.describe_configs(resources).items()}
    changed = [_alteration(s, found[s.name]) for s in specs if _differs(s, found[s.name])]
    _await(kafka.incremental_alter_configs(changed) if changed else {})


def _differs(spec: TopicSpec, found: dict[str, Any]) -> bool:
    return any(found[key].value != value for key, value in spec.config.items())


def _alteration(spec: TopicSpec, found: dict[str, Any]) -> ConfigResource:
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in spec.config.items()
        if found[key].value != value
    ]
    return ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=entries)


def _await(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(_TIMEOUT)
