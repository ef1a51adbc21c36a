"""Bronze as landing would have written it, hours at once: for figures about days that nobody wants to wait for."""

from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession, functions as F

from millrace.contracts.columns import bronze_columns
from millrace.contracts.source import Source
from spark_jobs.edges import lake

STATS = ("append_time", "kafka_partition", "kafka_offset")
REPEATED = 100
"""Every so many-th event is the one before it once more: there are duplicates to find."""


def write_hours(spark: SparkSession, path: str, source: Source, first: datetime, hours: int, per_hour: int) -> None:
    """Hours of bronze from `first` on, one file each; the same arguments give the same events."""
    columns = bronze_columns(source)
    lake.ensure(spark, path, columns, partition="append_hour", stats=STATS)
    rows = _events(spark, source, first, hours, per_hour).select(*(F.col(c.name).cast(c.spark_type) for c in columns))
    by_hour = rows.repartition(min(hours, 64), "append_hour")
    by_hour.write.format("delta").mode("append").partitionBy("append_hour").save(path)


def _events(spark: SparkSession, source: Source, first: datetime, hours: int, per_hour: int) -> DataFrame:
    number = F.col("id")
    micros = int(first.timestamp() * 1e6)
    distinct = number - (number % REPEATED == 1).cast("bigint")

    def moment(of: Column) -> Column:
        return F.timestamp_micros(F.lit(micros) + (of * F.lit(3_600_000_000 / per_hour)).cast("bigint"))

    appended = moment(number)
    return spark.range(0, hours * per_hour, 1, max(2, min(hours, 64))).select(
        _uuid(F.concat(F.lit(str(micros)), distinct)).alias("event_id"),
        (F.pmod(F.xxhash64(distinct), F.lit(20_000)) + 1).alias("user_id"),
        _one_of(distinct, "login", "click", "click", "click", "click", "purchase", "logout").alias("event_type"),
        F.concat(F.lit("/products/"), F.pmod(F.xxhash64(distinct, F.lit(1)), F.lit(100))).alias("page"),
        moment(distinct).alias("timestamp"),
        _one_of(distinct, "web", "mobile").alias("source"),
        F.lit(None).alias("unknown_fields"),
        appended.alias("ingestion_timestamp"),
        F.lit(source.topic.name).alias("kafka_topic"),
        F.lit(0).alias("kafka_partition"),
        number.alias("kafka_offset"),
        appended.alias("append_time"),
        F.date_trunc("hour", appended).alias("append_hour"),
    )


def _uuid(text: Column) -> Column:
    return F.regexp_replace(F.md5(text), r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", "$1-$2-$3-$4-$5")


def _one_of(number: Column, *values: str) -> Column:
    place = F.pmod(F.xxhash64(number, F.lit(len(values))), F.lit(len(values)))
    return F.element_at(F.array(*map(F.lit, values)), (place + 1).cast("int"))
