"""What every batch step is given: one run of one interval."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from millrace import names
from millrace.contracts.catalog import Catalog
from millrace.intervals import Interval
from millrace.settings import Settings
from spark_jobs.edges.gold_memory import GoldMemory
from spark_jobs.edges.locks import exclusive

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True)
class BatchRun:
    """One interval being refined: steps of two runs may go on at once, and every step may be repeated."""

    spark: SparkSession
    settings: Settings
    catalog: Catalog
    interval: Interval
    run_id: str
    """The same for all attempts of all steps of one run, so that a step finds what the one before wrote aside."""
    touched: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    """What has been found out about the interval so far: values of a column that it touched, by input and column."""
    exclusive: Callable[[Settings, str], AbstractContextManager[None]] = exclusive
    """Keeps the steps of two runs apart where the one could undo what the other did."""
    memory: GoldMemory = field(default_factory=GoldMemory)
    """What earlier runs have made of gold."""

    def path(self, layer: names.Layer, table: str) -> str:
        return names.table_path(self.settings.lake, layer, table)

    def staging(self, layer: names.Layer, table: str) -> str:
        """Where the run's candidate rows of this interval lie: what was staged for another one is not found."""
        folder = f"{_UNSAFE.sub('-', self.run_id).strip('-.')}-{self.interval.key}"
        return names.staging_path(self.settings.lake, layer, table, folder)
