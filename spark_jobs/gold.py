"""Silver to gold for one interval and model: stage what changed aside, gate it, publish what differs."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, functions as F
from pyspark.sql.types import StructType

from millrace.contracts.avro import Column
from millrace.contracts.model import GoldModel
from spark_jobs.audit import audit
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.gates.result import GateResult
from spark_jobs.narrowing import Values, candidate_sql, touched
from spark_jobs.transforms import gold_sql

log = logging.getLogger(__name__)
UPDATED_AT = "updated_at"


@dataclass(frozen=True)
class GoldStaged:
    """The candidate rows, and the partitions of the model (or of its inputs) that they stand for."""

    rows: int
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class GoldPublished:
    """What one attempt changed; a repeated one changes nothing."""

    rows: int
    partitions: tuple[str, ...] = ()


def stage_gold(run: BatchRun, name: str) -> GoldStaged:
    """Recompute what the interval touched, aside. Nothing is staged where it touched nothing."""
    model = run.catalog.gold_model(name)
    values = touched(run, model)
    if not values:
        return GoldStaged(0, ())
    now = datetime.now(UTC)
    candidates = run.spark.sql(candidate_sql(run, model, values)).withColumn(
        UPDATED_AT, F.date_trunc("millisecond", F.lit(now))
    )
    lake.write_aside(candidates, run.staging("gold", name), model.partition)
    staged = GoldStaged(_staged(run, model).count(), _texts(values))
    log.info("gold.%s, %s: %s", name, run.interval, staged)
    return staged


def gate_gold(run: BatchRun, name: str) -> GateResult | None:
    """Judge the candidate rows by the model's suite; None where the interval touched nothing."""
    model = run.catalog.gold_model(name)
    return audit(run, "gold", name, _staged(run, model)) if touched(run, model) else None


def publish_gold(run: BatchRun, name: str) -> GoldPublished:
    """Bring the candidates into the table. What is there already stays as it is, `updated_at` included."""
    model = run.catalog.gold_model(name)
    values = touched(run, model)
    if not values:
        return GoldPublished(0)
    ensure_gold(run, model, columns_of(_staged(run, model).schema))
    published = _publish(run, model, values)
    log.info("gold.%s, %s: %s", name, run.interval, published)
    return published


def ensure_gold(run: BatchRun, model: GoldModel, columns: list[Column]) -> None:
    """Create or widen the model's table."""
    lake.ensure(run.spark, run.path("gold", model.name), columns, partition=model.partition)


def columns_of(schema: StructType) -> list[Column]:
    """Spark's schema as columns of ours."""
    return [Column(name=f.name, spark_type=f.dataType.simpleString(), nullable=f.nullable) for f in schema.fields]


def _publish(run: BatchRun, model: GoldModel, values: Values) -> GoldPublished:
    if model.insert_key:
        return GoldPublished(_insert(run, model, values), _texts(values))
    if model.key:
        return GoldPublished(_upsert(run, model))
    return _replace(run, model, values)


def _insert(run: BatchRun, model: GoldModel, values: Values) -> int:
    match = f"{gold_sql.among(f't.`{model.partition}`', values)} AND {gold_sql.same(model.insert_key)}"
    if "append_time" in _staged(run, model).columns:
        match += f" AND {lake.appended_in(run.interval, 't')}"
    return lake.insert_missing(run.spark, run.path("gold", model.name), run.staging("gold", model.name), match)


def _upsert(run: BatchRun, model: GoldModel) -> int:
    rest = [c for c in _staged(run, model).columns if c not in (*model.key, UPDATED_AT)]
    path, candidates = run.path("gold", model.name), run.staging("gold", model.name)
    return lake.upsert(run.spark, path, candidates, gold_sql.same(model.key), gold_sql.differs(rest))


def _replace(run: BatchRun, model: GoldModel, values: Values) -> GoldPublished:
    partition = str(model.partition)
    path, staged = run.path("gold", model.name), _staged(run, model)
    there = run.spark.read.format("delta").load(path).where(gold_sql.among(partition, values))
    wanted, found = _contents(staged, partition, staged.columns), _contents(there, partition, staged.columns)
    changed = tuple(value for value in values if wanted.get(value) != found.get(value))
    if not changed:
        return GoldPublished(0)
    condition = gold_sql.among(partition, changed)
    lake.replace_where(staged.where(condition), path, condition)
    return GoldPublished(sum(wanted[v][0] for v in changed if v in wanted), _texts(changed))


def _contents(df: DataFrame, partition: str, columns: list[str]) -> dict[object, tuple[int, int]]:
    """Rows and a hash of each partition, leaving out when a row was written."""
    content = F.to_json(F.struct(*sorted(c for c in columns if c != UPDATED_AT)))
    hashed = F.sum(F.xxhash64(content).cast("decimal(38,0)"))
    rows = df.groupBy(partition).agg(F.count("*"), hashed).collect()
    return {row[0]: (row[1], int(row[2])) for row in rows}


def _staged(run: BatchRun, model: GoldModel) -> DataFrame:
    return run.spark.read.format("delta").load(run.staging("gold", model.name))


def _texts(values: Values) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
