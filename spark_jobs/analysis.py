"""The columns that a gold model's SELECT makes, as Spark sees them over tables that follow the contracts."""

from collections.abc import Iterable
from uuid import uuid4

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from millrace.contracts.avro import Column
from millrace.contracts.catalog import Catalog
from millrace.contracts.columns import silver_columns
from millrace.contracts.model import GoldModel
from spark_jobs.transforms import gold_sql

UPDATED_AT = Column(name="updated_at", spark_type="timestamp", nullable=False, doc="When the row last changed.")


def model_columns(spark: SparkSession, catalog: Catalog, model: GoldModel) -> tuple[Column, ...]:
    """What the model's table holds, nullability included: Delta forgets it, the contracts know it."""
    views = {ref.split(".", 1)[1]: _empty_view(spark, _input_columns(spark, catalog, ref)) for ref in model.inputs}
    inputs = {name: gold_sql.rows_of(view) for name, view in views.items()}
    schema = spark.sql(gold_sql.over(model.sql, inputs)).schema
    for view in views.values():
        spark.catalog.dropTempView(view)
    return (*columns_of(schema), UPDATED_AT)


def columns_of(schema: StructType) -> tuple[Column, ...]:
    """Spark's schema as columns of ours."""
    return tuple(Column(name=f.name, spark_type=f.dataType.simpleString(), nullable=f.nullable) for f in schema.fields)


def _input_columns(spark: SparkSession, catalog: Catalog, ref: str) -> tuple[Column, ...]:
    layer, name = ref.split(".", 1)
    if layer == "silver":
        return silver_columns(catalog.source(name))
    return model_columns(spark, catalog, catalog.gold_model(name))


def _empty_view(spark: SparkSession, columns: Iterable[Column]) -> str:
    fields = ", ".join(f"`{c.name}` {c.spark_type}{'' if c.nullable else ' NOT NULL'}" for c in columns)
    view = f"empty_{uuid4().hex}"
    spark.createDataFrame([], fields).createOrReplaceTempView(view)
    return view
