"""What Spark keeps in a query's checkpoint: its identity, and the offsets of its batches."""

import json
from typing import Any

from pyspark.sql import SparkSession

Offsets = dict[int, int]
"""Kafka partition to next offset."""


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

    def exists(self) -> bool:
        return bool(self._batches("offsets"))

    def last_committed(self) -> int | None:
        return max(self._batches("commits"), default=None)

    def end_offsets(self, batch_id: int) -> Offsets:
        """Where the batch ends: the next offset of each partition that it knew of."""
        # The log holds a version, a line of metadata, then one line per source; ours have one source, with one topic.
        by_topic = json.loads(self._read(f"offsets/{batch_id}").splitlines()[2])
        return {int(partition): offset for offsets in by_topic.values() for partition, offset in offsets.items()}

    def _batches(self, folder: str) -> list[int]:
        path = self._new_path(f"{self.path}/{folder}")
        if not self._files.exists(path):
            return []
        file_names = (str(status.getPath().getName()) for status in self._files.listStatus(path))
        return [int(name) for name in file_names if name.isdigit()]

    def _read(self, name: str) -> str:
        stream = self._files.open(self._new_path(f"{self.path}/{name}"))
        try:
            return str(self._read_stream(stream, self._utf8))
        finally:
            stream.close()
