"""Reads the folders of tests/cases: Kafka records in, rows out, as tests/cases/README.md says."""

import hmac
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from millrace.contracts.source import Source
from millrace.settings import ROOT

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RECORDS = (
    "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp, timestampType int, "
    "headers array<struct<key: string, value: binary>>"
)
Line = dict[str, Any]


def folders() -> Iterator[Path]:
    return (path.parent for path in sorted((ROOT / "tests" / "cases").glob("*/*/kafka.jsonl")))


def lines(path: Path) -> list[Line]:
    """The objects of a file; none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def append_times(records: list[Line]) -> list[datetime]:
    return [
        _moment(record["append_time"]) if "append_time" in record else NOON + timedelta(seconds=number)
        for number, record in enumerate(records)
    ]


def kafka_records(spark: SparkSession, source: Source, records: list[Line]) -> DataFrame:
    """The records with the columns that Spark's Kafka source gives."""
    times = append_times(records)
    rows = [
        (_bytes(r.get("key")), _value(source, r["value"]), source.topic.name, r.get("partition", 0), r.get("offset", n),
         times[n], 1, [])
        for n, r in enumerate(records)
    ]  # fmt: skip
    return spark.createDataFrame(rows, RECORDS)


def matches(row: Line, wanted: Line, key: bytes) -> bool:
    """Whether a row of silver has what a line of silver.jsonl lists."""
    return all(_equal(row[name], value, key) for name, value in wanted.items())


def _equal(found: Any, wanted: Any, key: bytes) -> bool:
    if isinstance(wanted, dict) and wanted.keys() == {"pseudonym"}:
        return bool(found == hmac.digest(key, str(wanted["pseudonym"]).encode(), "sha256").hex())
    if isinstance(found, datetime):
        return found.astimezone(UTC) == _moment(wanted)
    if isinstance(found, date):
        return found.isoformat() == wanted
    if isinstance(found, Decimal):
        return found == Decimal(str(wanted))
    return bool(found == wanted)


def _value(source: Source, value: Any) -> bytes | None:
    if isinstance(value, dict):
        if source.format != "json":
            raise NotImplementedError(
                f"cases cannot encode {source.format} yet; write the bytes of {source.name} as text"
            )
        return json.dumps(value).encode()
    return _bytes(value)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
