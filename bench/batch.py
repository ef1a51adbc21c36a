"""Batch figures: an hour with much history behind it, and a day in one job beside a bare Spark job."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from pyspark.sql import SparkSession

from bench.history import write_hours
from bench.measure import cpu_by_part
from bench.rivals.bare_day import refine_day
from bench.stack import BenchStack
from millrace.intervals import Interval
from spark_jobs.batch import BatchRun
from spark_jobs.edges.session import connect_session
from spark_jobs.range_job import refine_range
from spark_jobs.silver import gate_silver, publish_silver, stage_silver

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PART = "spark-connect"


@dataclass(frozen=True)
class Timed:
    """One pass of one contestant."""

    who: str
    seconds: float
    cpu: float
    rows: int


@dataclass(frozen=True)
class Lab:
    """A Connect session on the stack, and a lake of the measurement's own."""

    stack: BenchStack
    spark: SparkSession
    lake: Path

    def run(self, first_hour: int, hours: int) -> BatchRun:
        start = MIDNIGHT + first_hour * HOUR
        settings = self.stack.settings.model_copy(update={"lake": str(self.lake)})
        interval = Interval(start, start + hours * HOUR)
        return BatchRun(
            self.spark, settings, self.stack.catalog, interval, uuid4().hex[:8], exclusive=lambda *_: nullcontext()
        )

    def write(self, first_hour: int, hours: int, per_hour: int) -> None:
        path = str(self.lake / "bronze" / self.stack.source.name)
        write_hours(self.spark, path, self.stack.source, MIDNIGHT + first_hour * HOUR, hours, per_hour)

    def timed(self, who: str, rows: int, work: Callable[[], object]) -> Timed:
        cpu, began = cpu_by_part(self.stack.stack)[PART], time.monotonic()
        work()
        seconds = time.monotonic() - began
        return Timed(who, seconds, cpu_by_part(self.stack.stack)[PART] - cpu, rows)


@contextmanager
def lab(stack: BenchStack) -> Iterator[Lab]:
    """A fresh lake, removed afterwards."""
    folder = stack.scratch / f"lake-{uuid4().hex[:8]}"
    spark = connect_session(stack.settings)
    try:
        yield Lab(stack, spark, folder)
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)


def refine_hours(stack: BenchStack, histories: list[int], per_hour: int, rounds: int) -> list[Timed]:
    """One hour from bronze to published silver, with so many hours before it; the hours of a round are interleaved."""
    found = []
    with lab(stack) as any_lab:
        labs = {h: Lab(stack, any_lab.spark, any_lab.lake / f"{h}") for h in histories}
        for hours, one in labs.items():
            one.write(0, hours + rounds + 1, per_hour)
            refine_silver(one.run(0, hours))
            refine_silver(one.run(hours, 1))  # the first hour pays for what the JVM has yet to compile
        for number in range(1, rounds + 1):
            for hours, one in labs.items():
                run = one.run(hours + number, 1)
                found.append(one.timed(f"{hours} h of history", per_hour, partial(refine_silver, run)))
    return found


def refine_silver(run: BatchRun) -> None:
    for step in (stage_silver, gate_silver, publish_silver):
        step(run, "user_events")


def rebuild_day(stack: BenchStack, per_hour: int, rounds: int) -> list[Timed]:
    """A day from bronze to gold: the range job, gates and all, and the bare job, in turn.

    A first round, in which the JVM compiles what both need, is not counted.
    """
    found = []
    for number in range(rounds + 1):
        with lab(stack) as one:
            one.write(0, 24, per_hour)
            run = one.run(0, 24)
            contestants: list[tuple[str, Callable[[], None]]] = [
                ("range job", partial(refine_range, run)),
                ("bare job", partial(_bare, one, run)),
            ]
            for who, work in contestants if number % 2 == 0 else contestants[::-1]:
                found.append(one.timed(who, 24 * per_hour, work))
    return found[len(contestants) :]


def _bare(one: Lab, run: BatchRun) -> None:
    refine_day(one.spark, one.stack.catalog, one.stack.source, run.interval, str(one.lake))
