"""Which gold models a run has nothing to do for: lake and ClickHouse already hold what it would make.

Asked once for all models of a source; their own tasks need not start to find out the same.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from millrace.contracts.model import GoldModel
from millrace.errors import TransientError
from spark_jobs.batch import BatchRun
from spark_jobs.deploy_gold import in_order
from spark_jobs.edges import lake
from spark_jobs.narrowing import touched
from spark_jobs.served_memory import is_served
from spark_jobs.sync import clickhouse
from spark_jobs.up_to_date import inputs_of, is_up_to_date

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settled:
    """Names of gold models."""

    models: tuple[str, ...]


def settled_models(run: BatchRun, source: str) -> Settled:
    """Of the models that this source alone feeds; none of the served ones while ClickHouse is away."""
    made = _made(run, run.catalog.fed_alone_by(run.catalog.source(source)))
    served = _served(run, [model for model in made if model.serve is not None])
    settled = Settled(tuple(m.name for m in made if m.serve is None or m.name in served))
    log.info("%s, %s: %s", source, run.interval, settled)
    return settled


def _made(run: BatchRun, models: Sequence[GoldModel]) -> list[GoldModel]:
    """Those whose table in the lake, and all gold that it reads, is as this run would make it."""
    made: dict[str, GoldModel] = {}
    for model in in_order(run.catalog):
        gold = {ref for ref in model.inputs if ref.startswith("gold.")}
        if model in models and gold <= made.keys() and _is_made(run, model):
            made[f"gold.{model.name}"] = model
    return list(made.values())


def _is_made(run: BatchRun, model: GoldModel) -> bool:
    if values := touched(run, model):
        return is_up_to_date(run, model, values, inputs_of(run, model, values))
    return lake.read(run.spark, run.path("gold", model.name)) is not None


def _served(run: BatchRun, models: Sequence[GoldModel]) -> set[str]:
    """Those whose copy in ClickHouse is as the last sync has left it."""
    if not models:
        return set()
    try:
        with clickhouse(run.settings) as client:
            return {model.name for model in models if is_served(run, client, model, touched(run, model))}
    except TransientError as error:
        log.warning("nothing is known of ClickHouse's copies: %s", error)
        return set()
