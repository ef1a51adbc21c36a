"""A range in one job: every source and model of the catalog over one interval of any length, gates included."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from millrace.contracts.catalog import read_catalog
from millrace.intervals import Interval
from millrace.settings import read_settings
from spark_jobs.batch import BatchRun
from spark_jobs.bronze import gate_bronze
from spark_jobs.deploy_gold import feeding
from spark_jobs.edges.session import connect_session
from spark_jobs.gold import gate_gold, publish_gold, stage_gold
from spark_jobs.silver import gate_silver, publish_silver, stage_silver
from spark_jobs.sync import sync_gold

_AT_ONCE = 3


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
        _refine_silver(run, source.name)
    _at_once(feeding(run.catalog), lambda model: _each(run, model, stage_gold, gate_gold, publish_gold))


def _refine_silver(run: BatchRun, name: str) -> None:
    first: dict[str, Callable[[BatchRun, str], object]] = {"gate": gate_bronze, "stage": stage_silver}
    _at_once(dict.fromkeys(first, ()), lambda step: first[step](run, name))
    _each(run, name, gate_silver, publish_silver)


def _each(run: BatchRun, table: str, *steps: Callable[[BatchRun, str], object]) -> None:
    for step in steps:
        step(run, table)


def _at_once(waits_for: Mapping[str, Iterable[str]], work: Callable[[str], object]) -> None:
    """`work` for each name, some at a time, each after those that it waits for; after an error nothing new begins.

    Much of a step is planning and commits, during which the cores would stand still.
    """
    order = TopologicalSorter(waits_for)
    order.prepare()
    ready: list[str] = []
    running: dict[Future[object], str] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while order.is_active():
            ready += order.get_ready()
            while ready and len(running) < _AT_ONCE:  # what the pool was given would begin even after an error
                name = ready.pop(0)
                running[pool.submit(work, name)] = name
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                done.result()
                order.done(running.pop(done))


def sync_range(run: BatchRun) -> None:
    """Gold to ClickHouse, where a model is served."""
    for model in run.catalog.gold:
        sync_gold(run, model.name)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main(*sys.argv[1:])
