"""What Spark keeps in a query's checkpoint: its identity, and the offsets of its batches."""

import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

log = logging.getLogger(__name__)
Offsets = dict[int, int]
"""Kafka partition to next offset."""
_UNREADABLE = re.compile("ChecksumException|EOFException|FileNotFoundException")


class Checkpoint:
    """One query's checkpoint folder, read through Hadoop's file systems, so that it may lie on S3."""

    def __init__(self, spark: SparkSession, path: str) -> None:
        jvm: Any = spark._jvm
        self.path = path
        self._new_path = jvm.org.apache.hadoop.fs.Path
        self._read_stream = jvm.org.apache.commons.io.IOUtils.toString
        self._utf8 = jvm.java.nio.charset.StandardCharsets.UTF_8
        root = self._new_path(path)
        self._files = root.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())

    def identity(self) -> str:
        """The id that changes when the checkpoint is lost and made anew."""
        return str(json.loads(self._read("metadata"))["id"])

    def created(self) -> datetime:
        """When the query first started from here."""
        modified = self._files.getFileStatus(self._new_path(f"{self.path}/metadata")).getModificationTime()
        return datetime.fromtimestamp(modified / 1000, UTC)

    def exists(self) -> bool:
        return bool(self._batches("offsets"))

    def last_committed(self) -> int | None:
        return max(self._batches("commits"), default=None)

    def position(self) -> Offsets:
        """Where the query stands after its last whole batch; empty before there is one."""
        last = self.last_committed()
        return {} if last is None else self.end_offsets(last)

    def set_aside_if_torn(self) -> str | None:
        """Move a checkpoint that cannot be read out of the way, and say what is wrong with it; None for a sound one.

        The query then starts as if it had none: what its tables hold says where.
        """
        wrong = self._torn()
        if wrong:
            self.set_aside()
            log.error("the checkpoint %s was torn and is set aside: %s", self.path, wrong)
        return wrong

    def set_aside_if_older(self, held: Callable[[str], int]) -> None:
        """Move a checkpoint out of the way that its table has left behind, as a copy that was restored.

        `held`: the last batch that the table holds of a checkpoint's identity, -1 for none. Batches of an older one
        come with the numbers of those, and other records: the table would take them for what it holds.
        """
        if not self._there("metadata"):
            return
        newest, last = max(self._batches("offsets"), default=-1), held(self.identity())
        if last > newest:
            self.set_aside()
            log.error("the checkpoint %s ends at batch %d, its table at %d: it is set aside", self.path, newest, last)

    def set_aside(self) -> None:
        """Move the checkpoint out of the way, where there is one; nothing of it is deleted."""
        aside = f"{self.path}.aside-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        if self._files.exists(self._new_path(self.path)):
            self._files.rename(self._new_path(self.path), self._new_path(aside))

    def _torn(self) -> str | None:
        """What Spark would stumble over when it starts from here."""
        begun, done = max(self._batches("offsets"), default=-1), max(self._batches("commits"), default=-1)
        if done > begun:
            return f"batch {done} is committed, and has no offsets"
        if begun >= 0 and not self._there("metadata"):
            return "it does not say whose it is"
        for name in self._read_at_start(begun, done):
            try:
                self._parse(name)
            except (ValueError, LookupError) as error:
                return f"{name}: {error}"
            except Py4JJavaError as error:
                if not _UNREADABLE.search(str(error)):
                    raise
                return f"{name}: {error.java_exception}"
        return None

    def _read_at_start(self, begun: int, done: int) -> list[str]:
        """The files from which Spark learns who the query is, where it began, and how far it got."""
        batches = [f"offsets/{begun}"] if begun >= 0 else []
        batches += [f"commits/{done}", f"offsets/{done}"] if done >= 0 else []
        names = [*batches, "metadata", "sources/0/0"]
        return [name for name in names if self._there(name)]

    def _there(self, name: str) -> bool:
        return bool(self._files.exists(self._new_path(f"{self.path}/{name}")))

    def _parse(self, name: str) -> None:
        """The last line of each file is JSON; a log of offsets has three of them."""
        lines = self._read(name).splitlines()
        json.loads(lines[2 if name.startswith("offsets/") else -1])

    def end_offsets(self, batch_id: int) -> Offsets:
        """Where the batch ends: the next offset of each partition that it knew of."""
        # The log holds a version, a line of metadata, then one line per source; ours have one source, with one topic.
        by_topic = json.loads(self._read(f"offsets/{batch_id}").splitlines()[2])
        return {int(partition): offset for offsets in by_topic.values() for partition, offset in offsets.items()}

    def _batches(self, folder: str) -> list[int]:
        if not self._there(folder):
            return []
        statuses = self._files.listStatus(self._new_path(f"{self.path}/{folder}"))
        file_names = (str(status.getPath().getName()) for status in statuses)
        return [int(name) for name in file_names if name.isdigit()]

    def _read(self, name: str) -> str:
        stream = self._files.open(self._new_path(f"{self.path}/{name}"))
        try:
            return str(self._read_stream(stream, self._utf8))
        finally:
            stream.close()
