"""A table of landing that went back to an older state: restored from a copy, by RESTORE, or cut by a power loss."""

import logging
import re
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pyspark.sql import SparkSession, functions as F

from spark_jobs.edges import lake

log = logging.getLogger(__name__)
_COMMIT = re.compile(r"\d{20}\.json")
_ASIDE, _STAMP = ".aside-", "%Y%m%dT%H%M%S%f"
_BESIDE = 20
"""More commits than anything but landing makes of a table between two of its batches."""
_MARGIN = "INTERVAL 1 HOUR"


def set_aside_empty_commits(path: str) -> list[str]:
    """Move commits of no bytes at the end of a table's log out of the way; their names, nothing of them is deleted.

    A power loss leaves a file's name, and not what was written to it. Delta reads such a commit as one that changed
    nothing, while the checksum beside it may tell of all that it did. Other stores than our own disk write whole files.
    """
    folder = _local(path) / "_delta_log"
    empty: list[str] = []
    for commit in sorted(filter(lambda file: _COMMIT.fullmatch(file.name), folder.glob("*.json")), reverse=True):
        if commit.stat().st_size or any(folder.glob(f"{commit.stem}.checkpoint*")):  # which holds all of it
            break
        _set_aside(folder, commit.stem)
        empty.append(commit.name)
    if empty:
        log.error("%s: commits without content are set aside: %s", path, ", ".join(empty))
    return empty


def lost_commits(path: str, since: datetime | None) -> bool:
    """Whether commits without content were set aside after `since`; ever, where that is None."""
    found = (file.name.partition(_ASIDE)[2] for file in (_local(path) / "_delta_log").glob(f"*.json{_ASIDE}*"))
    stamps = [datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) for stamp in found]
    return any(since is None or stamp > since for stamp in stamps)


def restored(spark: SparkSession, path: str) -> bool:
    """Whether RESTORE was the last word on the table's rows: it keeps the applications' transactions as they were."""
    history = spark.sql(f"DESCRIBE HISTORY {lake.table(path)} LIMIT {_BESIDE}").select("operation").collect()
    return "RESTORE" in takewhile(lambda operation: operation != "WRITE", (row["operation"] for row in history))


def well_before_the_end(spark: SparkSession, bronze: str, topic: str) -> dict[int, tuple[int, int]]:
    """Offset of each partition from which on bronze and quarantine are to be filled again, an hour before its end; and
    that end.

    The two may be of different moments, within a batch or as they were copied: what lies before the last offset of the
    one need not be in the other.
    """
    landed = spark.read.format("delta").load(bronze).where(F.col("kafka_topic") == topic)
    rows = landed.select("kafka_partition", "kafka_offset", "append_time")
    ends = rows.groupBy("kafka_partition").agg(F.max("append_time").alias("newest"))
    recent = rows.join(F.broadcast(ends), "kafka_partition").where(f"append_time >= newest - {_MARGIN}")
    found = recent.groupBy("kafka_partition").agg(F.min("kafka_offset"), F.max("kafka_offset") + 1).collect()
    return {row[0]: (row[1], row[2]) for row in found}


def _local(path: str) -> Path:
    """The folder of a path on this machine; one that is not there for another store's."""
    url = urlsplit(path)
    return Path(unquote(url.path) if url.scheme == "file" else path)


def _set_aside(folder: Path, version: str) -> None:
    """Rename the commit, its checksums and those of Hadoop, so that Delta knows none of them."""
    aside = f"{_ASIDE}{datetime.now(UTC):{_STAMP}}"
    for name in (f"{version}.json", f"{version}.crc", f".{version}.json.crc", f".{version}.crc.crc"):
        if (folder / name).exists():
            (folder / name).rename(folder / f"{name}{aside}")
