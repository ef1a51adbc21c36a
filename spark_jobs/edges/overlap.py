"""Records that a starting query reads again, after a crash say, although the lake already holds them."""

from collections.abc import Mapping

from pyspark.sql import DataFrame

from spark_jobs.edges.bronze_tables import at_or_after, next_offsets


class Overlap:
    """What the lake holds at or after the position that a run starts from; left out until the run has passed it.

    A batch is written in steps: bronze, quarantine, offsets. After a crash between them, or without the checkpoint that
    knew of it, some of its records are in the lake, in no order of their offsets: only a look at each tells which.
    """

    def __init__(self, held: DataFrame, position: Mapping[int, int]) -> None:
        self._held = held.where(at_or_after(position)).persist()
        self._ends = next_offsets(self._held)
        if not self._ends:
            self._held.unpersist()

    def leave_out(self, records: DataFrame) -> DataFrame:
        """`records` (Kafka's columns and more) without those that the lake holds."""
        if not self._ends:
            return records
        known = self._held.withColumnsRenamed({"kafka_partition": "partition", "kafka_offset": "offset"})
        return records.join(known, ["partition", "offset"], "left_anti").select(*records.columns)

    def passed(self, ends: Mapping[int, int]) -> None:
        """A batch that ended there is done; beyond the overlap there is nothing left to look at."""
        if self._ends and all(ends.get(partition, 0) >= end for partition, end in self._ends.items()):
            self._ends = {}
            self._held.unpersist()
