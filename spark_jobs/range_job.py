"""A range in one job: every source and model of the catalog over one interval of any length, gates included."""

import logging
import sys
from collections.abc import Callable

from millrace.contracts.catalog import read_catalog
from millrace.intervals import Interval
from millrace.settings import read_settings
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import gate_bronze
from spark_jobs.deploy_gold import in_order
from spark_jobs.edges.session import connect_session
from spark_jobs.gold import gate_gold, publish_gold, stage_gold
from spark_jobs.silver import gate_silver, publish_silver, stage_silver
from spark_jobs.sync import sync_gold


def main(start: str, end: str) -> None:
    """`python -m spark_jobs.range_job 2026-01-31T00:00 2026-02-01T00:00`: what the hours' own runs would have done."""
    settings, interval = read_settings(), Interval.parse(start, end)
    spark = connect_session(settings)
    try:
        run = BatchRun(spark, settings, read_catalog(settings.project_dir), interval, f"range-{interval.key}")
        refine_range(run)
        sync_range(run)
    finally:
        spark.stop()


def refine_range(run: BatchRun) -> None:
    """Bronze to silver to gold; a gate that fails ends it, with everything before published."""
    for source in run.catalog.sources:
        _each(run, source.name, gate_bronze, stage_silver, gate_silver, publish_silver)
    for model in in_order(run.catalog):
        _each(run, model.name, stage_gold, gate_gold, publish_gold)


def _each(run: BatchRun, table: str, *steps: Callable[[BatchRun, str], object]) -> None:
    for step in steps:
        step(run, table)


def sync_range(run: BatchRun) -> None:
    """Gold to ClickHouse, where a model is served."""
    for model in run.catalog.gold:
        sync_gold(run, model.name)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main(*sys.argv[1:])
