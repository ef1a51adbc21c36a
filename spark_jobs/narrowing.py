"""What an interval touched: which partitions and keys of a gold model, and so which part of its inputs to read.

It is told by silver's rows of the interval, which are added once and stay, so a retry finds the same. Staging a model
finds it out; the steps after it recall that (`staging_note`).
"""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame

from millrace.contracts.columns import silver_columns
from millrace.contracts.model import GoldModel
from millrace.errors import ConfigError
from spark_jobs.batch import BatchRun
from spark_jobs.edges import lake
from spark_jobs.transforms import gold_sql

SILVER_PARTITION = "event_date"
Values = tuple[Any, ...]


def touched(run: BatchRun, model: GoldModel) -> Values:
    """The model's partitions (for a `key` model: those of its inputs) that hold, or will hold, news of the interval."""
    if model.partition is None:
        found = {value for ref in model.inputs for value in touched_of(run, ref, partition_of(run, ref))}
    else:
        found = {value for ref in model.inputs for value in touched_of(run, ref, model.partition)}
    return tuple(sorted(found, key=lambda value: (value is None, str(value))))


def candidate_sql(run: BatchRun, model: GoldModel, values: Values) -> str:
    """The model's SELECT over inputs that hold just what `values` make necessary."""
    keys = _changed_keys(run, model) if model.key else ""
    inputs = {_name(ref): _narrowed(run, model, ref, values, keys) for ref in model.inputs}
    return gold_sql.over(model.sql, inputs)


def changed_rows(run: BatchRun, model: GoldModel) -> DataFrame:
    """The rows of a `key` model's table whose keys the interval touched."""
    table = lake.table(run.path("gold", model.name))
    return run.spark.sql(gold_sql.rows_of_keys(table, model.key, _changed_keys(run, model)))


def input_of(run: BatchRun, ref: str) -> DataFrame:
    """The whole input `silver.<source>` or `gold.<model>`."""
    return run.spark.read.format("delta").load(path_of(run, ref))


def path_of(run: BatchRun, ref: str) -> str:
    """Where the input `silver.<source>` or `gold.<model>` lies."""
    return run.path("silver" if ref.startswith("silver.") else "gold", _name(ref))


def _narrowed(run: BatchRun, model: GoldModel, ref: str, values: Values, keys: str) -> str:
    table, columns = lake.table(path_of(run, ref)), _columns_of(run, ref)
    if model.key:
        narrow = set(model.key) <= set(columns)
        return gold_sql.rows_of_keys(table, model.key, keys) if narrow else gold_sql.rows_of(table)
    if model.partition is None or model.partition not in columns:
        return gold_sql.rows_of(table)
    condition = gold_sql.among(model.partition, values)
    if model.insert_key and ref.startswith("silver."):
        condition += f" AND {lake.appended_in(run.interval)}"
    return gold_sql.rows_of(table, condition)


def _changed_keys(run: BatchRun, model: GoldModel) -> str:
    queries = []
    for ref in model.inputs:
        column = partition_of(run, ref)
        if column and set(model.key) <= set(_columns_of(run, ref)):
            condition = gold_sql.among(column, touched_of(run, ref, column))
            queries.append(gold_sql.keys_in(lake.table(path_of(run, ref)), model.key, condition))
    if not queries:
        raise ConfigError(
            f"{model.path}:1: no input has the key {', '.join(model.key)} and a partition that tells what changed; "
            "read a silver table, or a gold table with 'partition'"
        )
    return "\nUNION\n".join(queries)


def touched_of(run: BatchRun, ref: str, column: str | None) -> Values:
    """Values of `column` in the rows of an input that the interval added or changed; none for a look-up table."""
    if column is None:
        return ()
    if (ref, column) not in run.touched:
        run.touched[ref, column] = _look_up(run, ref, column)
    return run.touched[ref, column]


def _look_up(run: BatchRun, ref: str, column: str) -> Values:
    if column not in _columns_of(run, ref):
        return ()
    df = input_of(run, ref)
    if ref.startswith("silver."):
        return _distinct(df.where(lake.appended_in(run.interval)), column)
    feeding = run.catalog.gold_model(_name(ref))
    if feeding.partition is None:
        return ()
    values = touched(run, feeding)
    if feeding.partition == column:
        return values
    return _distinct(df.where(gold_sql.among(feeding.partition, values)), column)


def partition_of(run: BatchRun, ref: str) -> str | None:
    return SILVER_PARTITION if ref.startswith("silver.") else run.catalog.gold_model(_name(ref)).partition


def _columns_of(run: BatchRun, ref: str) -> Sequence[str]:
    if ref.startswith("silver."):
        return [column.name for column in silver_columns(run.catalog.source(_name(ref)))]
    return input_of(run, ref).columns


def _distinct(df: DataFrame, column: str) -> Values:
    return tuple(row[0] for row in df.select(column).distinct().collect())


def _name(ref: str) -> str:
    return ref.split(".", 1)[1]
