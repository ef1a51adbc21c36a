"""Silver to gold for one interval and model: stage what changed aside, gate it, publish what differs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from millrace.contracts.avro import Column
from millrace.contracts.model import GoldModel
from millrace.errors import ConfigError
from spark_jobs.analysis import columns_of
from spark_jobs.audit import audit
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.edges.staged import Candidates, insert_missing, replace_partitions, write_aside
from spark_jobs.gates.result import GateResult
from spark_jobs.narrowing import Values, candidate_sql, touched
from spark_jobs.staging_note import recalling, staged_inputs, staging_note
from spark_jobs.transforms import gold_sql
from spark_jobs.up_to_date import inputs_of, is_up_to_date, remember

log = logging.getLogger(__name__)
UPDATED_AT = "updated_at"
_SIDE = "side of the comparison"
_COMPARED = frozenset({"bigint", "int", "smallint", "double", "float", "date", "timestamp"})


@dataclass(frozen=True)
class GoldStaged:
    """The candidate rows, and the partitions of the model (or of its inputs) that they stand for."""

    rows: int
    partitions: tuple[str, ...]

    @property
    def nothing_to_do(self) -> bool:
        """Whether gate and publish may be left out."""
        return not self.partitions


@dataclass(frozen=True)
class GoldPublished:
    """What one attempt changed; a repeated one changes nothing."""

    rows: int
    partitions: tuple[str, ...] = ()


def stage_gold(run: BatchRun, name: str) -> GoldStaged:
    """Recompute what the interval touched, aside. Nothing is staged where it touched nothing, or nothing new."""
    model = run.catalog.gold_model(name)
    values = touched(run, model)
    if not values:
        return GoldStaged(0, ())
    inputs = inputs_of(run, model, values)
    if is_up_to_date(run, model, values, inputs):
        log.info("gold.%s, %s: up to date, nothing to stage", name, run.interval)
        return GoldStaged(0, ())
    now, note = datetime.now(UTC), staging_note(run, inputs)
    candidates = run.spark.sql(candidate_sql(run, model, values)).withColumn(
        UPDATED_AT, F.date_trunc("millisecond", F.lit(now))
    )
    partitions = (model.partition,) if model.partition else ()
    stats = _stats(model, columns_of(candidates.schema))
    write_aside(candidates, run.staging("gold", name), *partitions, note=note, stats=stats)
    counts = lake.row_counts(run.spark, run.staging("gold", name), *partitions)
    _refuse_other_partitions(model, {part for part, *_ in filter(None, counts)}, values)
    staged = GoldStaged(sum(counts.values()), _texts(values))
    log.info("gold.%s, %s: %s", name, run.interval, staged)
    return staged


def gate_gold(run: BatchRun, name: str) -> GateResult | None:
    """Judge the candidate rows by the model's suite; None where nothing was staged."""
    staged = lake.read(run.spark, run.staging("gold", name))
    return audit(run, "gold", name, staged) if staged is not None else None


def publish_gold(run: BatchRun, name: str) -> GoldPublished:
    """Bring the candidates into the table. What is there already stays as it is, `updated_at` included."""
    model = run.catalog.gold_model(name)
    run = recalling(run, model)
    values = touched(run, model)
    if not values:
        return GoldPublished(0)
    with run.exclusive(run.settings, f"gold.{name}"):
        inputs = inputs_of(run, model, values)
        if staged_inputs(run, model) != inputs:
            log.info("gold.%s: not staged, or its inputs have changed since; staging it again", name)
            run = replace(run, touched={})
            if stage_gold(run, name).nothing_to_do:
                return GoldPublished(0)
            gate_gold(run, name)
            values, inputs = touched(run, model), staged_inputs(run, model)
        ensure_gold(run, model, columns_of(_staged(run, model).schema))
        published = _publish(run, model, values)
        remember(run, model, values, inputs)
    log.info("gold.%s, %s: %s", name, run.interval, published)
    return published


def ensure_gold(run: BatchRun, model: GoldModel, columns: Sequence[Column]) -> None:
    """Create or widen the model's table."""
    path, stats = run.path("gold", model.name), _stats(model, columns)
    lake.ensure(run.spark, path, columns, partition=model.partition, stats=stats)


def _stats(model: GoldModel, columns: Sequence[Column]) -> list[str]:
    """Files are skipped by numbers and times: texts cost too much."""
    return [c.name for c in columns if c.spark_type in _COMPARED and c.name != model.partition]


def _refuse_other_partitions(model: GoldModel, made: set[object], values: Values) -> None:
    """A model that moves rows to partitions of its own making cannot be recomputed partition by partition."""
    if model.partition is None:
        return
    if other := sorted(map(str, made - set(values))):
        raise ConfigError(
            f"{model.path}:{model.sql_line}: rows of {model.partition} {', '.join(_texts(values))} came out as "
            f"{', '.join(other)}; expected the inputs' {model.partition}, unchanged. Give a derived date another name"
        )


def _publish(run: BatchRun, model: GoldModel, values: Values) -> GoldPublished:
    if model.insert_key:
        return GoldPublished(_insert(run, model, values), _texts(values))
    if model.key:
        return GoldPublished(_upsert(run, model))
    return _replace(run, model, values)


def _insert(run: BatchRun, model: GoldModel, values: Values) -> int:
    by_time = "append_time" in _staged(run, model).columns

    def within(alias: str) -> str:
        column = f"{alias}.`{model.partition}`" if alias else f"`{model.partition}`"
        touched_only = gold_sql.among(column, values)
        return f"{touched_only} AND {lake.appended_in(run.interval, alias)}" if by_time else touched_only

    path, candidates = run.path("gold", model.name), Candidates(run.staging("gold", model.name))
    match = gold_sql.same(model.insert_key)
    count = lake.row_counts(run.spark, candidates.folder).total()
    return insert_missing(run.spark, path, candidates, count, match, within)


def _upsert(run: BatchRun, model: GoldModel) -> int:
    rest = [c for c in _staged(run, model).columns if c not in (*model.key, UPDATED_AT)]
    path, candidates = run.path("gold", model.name), run.staging("gold", model.name)
    return lake.upsert(run.spark, path, candidates, gold_sql.same(model.key), gold_sql.differs(rest))


def _replace(run: BatchRun, model: GoldModel, values: Values) -> GoldPublished:
    partition = str(model.partition)
    path, aside = run.path("gold", model.name), run.staging("gold", model.name)
    if lake.file_names(run.spark, path, partition, values):
        there = run.spark.read.format("delta").load(path).where(gold_sql.among(partition, values))
        wanted, found = _contents(partition, _staged(run, model), there)
    else:
        counts = lake.row_counts(run.spark, aside, partition)
        wanted, found = {value: (rows, 0) for (value,), rows in counts.items()}, {}
    changed = tuple(value for value in values if wanted.get(value) != found.get(value))
    if not changed:
        return GoldPublished(0)
    candidates = Candidates(aside, gold_sql.among(partition, changed))
    replace_partitions(run.spark, path, candidates)
    return GoldPublished(sum(wanted[v][0] for v in changed if v in wanted), _texts(changed))


def _contents(partition: str, staged: DataFrame, there: DataFrame) -> list[dict[object, tuple[int, int]]]:
    """Of each side, rows and a hash of each partition, leaving out when a row was written; one query for both."""
    content = F.to_json(F.struct(*sorted(c for c in staged.columns if c != UPDATED_AT)))
    hashed = F.sum(F.xxhash64(content).cast("decimal(38,0)"))
    sides = [df.withColumn(_SIDE, F.lit(side)) for side, df in enumerate((staged, there.select(*staged.columns)))]
    found = reduce(DataFrame.unionByName, sides).groupBy(_SIDE, partition).agg(F.count("*"), hashed).collect()
    return [{row[1]: (row[2], int(row[3])) for row in found if row[0] == number} for number in range(len(sides))]


def _staged(run: BatchRun, model: GoldModel) -> DataFrame:
    return run.spark.read.format("delta").load(run.staging("gold", model.name))


def _texts(values: Values) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
