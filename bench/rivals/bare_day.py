"""The rival of a range job: one plain Spark job over the day. No gates, no merge, no ledger: read, cast, overwrite."""

from pyspark.sql import DataFrame, SparkSession, functions as F

from millrace.contracts.catalog import Catalog
from millrace.contracts.source import Source
from millrace.intervals import Interval
from spark_jobs.deploy_gold import in_order

KEY = "a key"


def refine_day(spark: SparkSession, catalog: Catalog, source: Source, interval: Interval, lake: str) -> None:
    """Bronze of the interval to silver and all gold tables, as anybody would write it."""
    _silver(spark, source, interval, lake).write.format("delta").mode("overwrite").partitionBy("event_date").save(
        f"{lake}/bare/silver"
    )
    spark.read.format("delta").load(f"{lake}/bare/silver").createOrReplaceTempView(source.name)
    for model in in_order(catalog):
        path = f"{lake}/bare/{model.name}"
        spark.sql(model.sql).write.format("delta").mode("overwrite").save(path)
        spark.read.format("delta").load(path).createOrReplaceTempView(model.name)


def _silver(spark: SparkSession, source: Source, interval: Interval, lake: str) -> DataFrame:
    bronze = spark.read.format("delta").load(f"{lake}/bronze/{source.name}")
    return (
        bronze.where((F.col("append_time") >= interval.start) & (F.col("append_time") < interval.end))
        .where(F.col(source.event.id).isNotNull())
        .dropDuplicates([source.event.id])
        .withColumn("user_id", F.sha2(F.concat(F.lit(KEY), F.col("user_id").cast("string")), 256))
        .withColumnRenamed(source.event.time, "event_time")
        .withColumn("event_date", F.to_date("event_time"))
    )
