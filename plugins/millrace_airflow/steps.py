"""The steps of the batch by name, so that DAG files need not import Spark to mention them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A function `(run: BatchRun, table: str) -> dataclass` of spark_jobs, by module and name."""

    module: str
    function: str


GATE_BRONZE = Step("spark_jobs.bronze", "gate_bronze")
STAGE_SILVER = Step("spark_jobs.silver", "stage_silver")
GATE_SILVER = Step("spark_jobs.silver", "gate_silver")
PUBLISH_SILVER = Step("spark_jobs.silver", "publish_silver")
SETTLED_MODELS = Step("spark_jobs.settled", "settled_models")
STAGE_GOLD = Step("spark_jobs.gold", "stage_gold")
GATE_GOLD = Step("spark_jobs.gold", "gate_gold")
PUBLISH_GOLD = Step("spark_jobs.gold", "publish_gold")
SYNC_GOLD = Step("spark_jobs.sync", "sync_gold")
WRITE_LEDGER = Step("spark_jobs.ledger", "write_ledger")
RECOUNT_LEDGER = Step("spark_jobs.ledger", "recount")
MAINTAIN_SOURCE = Step("spark_jobs.maintenance", "maintain_source")
MAINTAIN_MODEL = Step("spark_jobs.maintenance", "maintain_model")
CLEAN_STAGING = Step("spark_jobs.maintenance", "clean_staging")
