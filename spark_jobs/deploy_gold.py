"""Makes every table of the batch exist, empty, before its first interval: in the lake and in ClickHouse."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from graphlib import TopologicalSorter

from pyspark.sql import SparkSession

from millrace.contracts.catalog import Catalog, read_catalog
from millrace.contracts.model import GoldModel
from millrace.intervals import Interval
from millrace.settings import Settings, read_settings
from spark_jobs.analysis import model_columns
from spark_jobs.batch import BatchRun
from spark_jobs.edges.session import connect_session
from spark_jobs.gold import ensure_gold
from spark_jobs.silver import ensure_silver
from spark_jobs.sync import clickhouse, ensure_served

log = logging.getLogger(__name__)


def main() -> None:
    """Run by hand or by the stack, once the Connect server answers."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    settings = read_settings()
    spark = connect_session(settings)
    try:
        deploy_gold(spark, settings, read_catalog(settings.project_dir))
    finally:
        spark.stop()


def deploy_gold(spark: SparkSession, settings: Settings, catalog: Catalog) -> None:
    """Create or widen silver, rejected, gold and served tables; safe to repeat while runs go on."""
    run = BatchRun(spark, settings, catalog, Interval.of_hour(datetime.now(UTC)), "deploy")
    for source in catalog.sources:
        ensure_silver(run, source)
    with clickhouse(settings) as client:
        for model in in_order(catalog):
            ensure_gold(run, model, model_columns(spark, catalog, model))
            if model.serve:
                ensure_served(run, client, model)
    log.info("%d silver and %d gold tables are there", len(catalog.sources), len(catalog.gold))


def in_order(catalog: Catalog) -> Iterator[GoldModel]:
    """Gold models, each after those that it reads."""
    return (catalog.gold_model(name) for name in TopologicalSorter(feeding(catalog)).static_order())


def feeding(catalog: Catalog) -> dict[str, list[str]]:
    """Gold models, by name, each with those that it reads."""
    return {
        model.name: [ref.split(".", 1)[1] for ref in model.inputs if ref.startswith("gold.")] for model in catalog.gold
    }


if __name__ == "__main__":
    main()
