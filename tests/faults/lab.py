"""A source of one test's own: its contract, its topic and its tables, which no other test can disturb."""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from millrace import names
from millrace.settings import PREFIX, Settings

RECORD_LIMIT = 12_000_000
MEMORY = "1g"
SCHEMA = {
    "type": "record",
    "name": "Tick",
    "doc": "One numbered event of a fault test.",
    "fields": [
        {"name": "id", "type": "string", "doc": "Unique id."},
        {"name": "number", "type": "long", "doc": "Place of the event in its load."},
        {"name": "kind", "type": "string", "doc": "One of a few kinds, to count by."},
        {"name": "size", "type": ["null", "double"], "default": None, "doc": "Any number, or none."},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}, "doc": "When it happened."},
    ],
}
CONTRACT = """kind: stream
owner: lab
description: Numbered events of a fault test.
topic: {{name: {topic}, partitions: {partitions}, retention: 1 day, key: kind, max_record_bytes: {limit}}}
format: json
event: {{id: id, time: at, lateness: {lateness}}}
"""
COUNTS = """/* millrace
description: Events and the sum of their numbers per minute and kind.
inputs: [{source}]
order_by: [window_start, kind]
*/
SELECT
    toStartOfMinute(event_time) AS window_start,
    kind,
    sumSimpleState(1) AS events,
    sumSimpleState(number) AS total
FROM {source}
GROUP BY window_start, kind
"""
WINDOWS = """/* millrace
description: Events in 10-second windows of event time.
inputs: [{source}]
watermark: 10 seconds
key: [window_start]
*/
SELECT window.start AS window_start, count(*) AS events FROM {source} GROUP BY window(at_or_event, '10 seconds')
"""

SUITE = {
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}, "severity": "critical"},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "number"}, "severity": "critical"},
    ]
}


@dataclass(frozen=True)
class Lab:
    """Where one test works. `changed` are the settings in which its driver differs from the rest of the stack."""

    source: str
    project: Path
    stack_settings: Settings
    changed: dict[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The stack's settings, with the lake and the checkpoints of this lab."""
        places = {name: str(self.changed[name]) for name in ("lake", "checkpoints") if name in self.changed}
        return self.stack_settings.model_copy(update=places)

    @property
    def driver_settings(self) -> Settings:
        """What shapes the driver's command line."""
        conf = {
            "stream_conf": self.changed.get("stream_conf", {}),
            "stream_memory": self.changed.get("stream_memory", MEMORY),
        }
        return self.settings.model_copy(update=conf)

    @property
    def topic(self) -> str:
        return self.source.replace("_", "-")

    @property
    def group(self) -> str:
        """Each lab has a stream group of its own."""
        return self.source

    def checkpoint(self, query: str) -> Path:
        return Path(self.settings.checkpoints) / query

    @property
    def landing(self) -> str:
        return names.landing_query(self.source)

    @property
    def live(self) -> str:
        return names.live_query(self.source)

    def variables(self) -> dict[str, str]:
        """What the lab's driver is told beside the stack's environment. Its lease is short, so that tests are."""
        own: dict[str, object] = {
            "project_dir": self.project,
            "lease_ttl": 6,
            "heartbeat_interval": 1,
            "landing_trigger_ms": 1500,
            "stream_memory": MEMORY,
        }
        return {f"{PREFIX}{name}".upper(): _text(value) for name, value in (own | self.changed).items()}


def make_lab(
    settings: Settings,
    project: Path,
    test: str,
    *,
    partitions: int = 4,
    lateness: str = "30 seconds",
    windows: bool = False,
    **changed: object,
) -> Lab:
    """Write the project of a new lab, and create its topic, so that a load may begin before any driver runs."""
    source = f"{re.sub('[^a-z0-9]+', '_', test.removeprefix('test_').lower())[:40].strip('_')}_{uuid.uuid4().hex[:6]}"
    lab = Lab(source, project, settings, changed)
    home = lab.project / "sources" / "lab" / source
    write_contract(lab, partitions=partitions, lateness=lateness)
    (home / "event.avsc").write_text(json.dumps(SCHEMA))
    _write_model(lab, "realtime", "counts", COUNTS)
    if windows:
        _write_model(lab, "stream", "windows", WINDOWS.replace("at_or_event", "event_time"))
    create_topic(lab, partitions)
    return lab


def create_topic(lab: Lab, partitions: int) -> None:
    """Create the topic of a lab."""
    kafka = AdminClient({"bootstrap.servers": lab.settings.kafka_bootstrap})
    config = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(RECORD_LIMIT)}
    _all_done(kafka.create_topics([NewTopic(lab.topic, partitions, 1, config=config)]).values())


def write_contract(lab: Lab, *, partitions: int, lateness: str) -> None:
    """(Re)write source.yaml."""
    home = lab.project / "sources" / "lab" / lab.source
    home.mkdir(parents=True, exist_ok=True)
    text = CONTRACT.format(topic=lab.topic, partitions=partitions, lateness=lateness, limit=RECORD_LIMIT)
    (home / "source.yaml").write_text(text)


def change_counts(lab: Lab) -> None:
    """The real-time model by other SQL that says the same: its table is built anew."""
    _write_model(lab, "realtime", "counts", COUNTS.replace("GROUP BY", "WHERE kind != '' GROUP BY"))


def _write_model(lab: Lab, kind: str, name: str, sql: str) -> None:
    path = lab.project / "models" / "lab" / kind / f"{lab.source}_{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sql.format(source=lab.source))


def _all_done(futures: Iterable[object]) -> None:
    for future in futures:
        future.result(30)  # type: ignore[attr-defined]


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def write_suites(lab: Lab) -> None:
    """The gates of the lab's tables, where the hourly DAG is to refine it."""
    for layer in ("bronze", "silver"):
        path = lab.project / "expectations" / layer / f"{lab.source}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": f"{layer}.{lab.source}"} | SUITE))
