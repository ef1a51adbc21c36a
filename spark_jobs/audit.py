"""The audit between stage and publish: the table's own suite, run on exactly the rows at hand."""

from pyspark.sql import DataFrame

from spark_jobs.batch import BatchRun
from spark_jobs.gates.result import GateResult
from spark_jobs.gates.run import run_gate


def audit(run: BatchRun, layer: str, table: str, rows: DataFrame) -> GateResult:
    """Judge `rows` by the suite of the table; raises GateFailed when a critical rule breaks."""
    return run_gate(
        rows,
        run.catalog.suite_path(layer, table),
        layer=layer,
        table=table,
        interval_key=run.interval.key,
        run_id=run.run_id,
        settings=run.settings,
        pii={column for source in run.catalog.sources for column in source.pii},
    )
