"""Bronze as batch work sees it: the rows of an interval, judged; landing alone writes it."""

from collections.abc import Callable

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.columns import REASON, bronze_columns
from millrace.contracts.source import Source
from millrace.intervals import Interval
from spark_jobs.audit import audit
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.edges.refinement import read_refinement
from spark_jobs.gates.result import GateResult
from spark_jobs.transforms.silver import conform, judge


def gate_bronze(run: BatchRun, name: str) -> GateResult:
    """Judge the interval's bronze rows by the source's bronze suite."""
    return audit(run, "bronze", name, bronze_rows(run, run.catalog.source(name), run.interval))


def bronze_rows(run: BatchRun, source: Source, interval: Interval) -> DataFrame:
    """The interval's rows of bronze; none before landing has written any."""
    columns = bronze_columns(source)
    bronze = lake.read(run.spark, run.path("bronze", source.name))
    if bronze is None:
        return run.spark.createDataFrame([], ", ".join(f"`{c.name}` {c.spark_type}" for c in columns))
    rows = conform(bronze, columns).where(lake.in_hours_of(interval))
    return rows if interval.is_of_whole_hours else rows.where(lake.appended_in(interval))


def refined_rows(run: BatchRun, source: Source, interval: Interval) -> DataFrame:
    """The interval's bronze rows after the source's own refinement."""
    return bronze_rows(run, source, interval).transform(read_refinement(source).refine)


def judged_rows(
    run: BatchRun, source: Source, interval: Interval, pick: Callable[[DataFrame], DataFrame] | None = None
) -> DataFrame:
    """The interval's refined rows, or those that `pick` leaves of them, with the reason to refuse them, or null."""
    refined = refined_rows(run, source, interval)
    return judge(pick(refined) if pick else refined, source, read_refinement(source).reject_rules)


def acceptable(judged: DataFrame) -> DataFrame:
    return judged.where(F.col(REASON.name).isNull())
