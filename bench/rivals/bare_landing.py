"""The rival of landing: what anybody would write first. Kafka, from_json, Delta, default settings."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession, functions as F

from bench.follow import follow
from bench.topic import topic_end

SCHEMA = "event_id string, user_id int, event_type string, page string, timestamp timestamp, source string"


def main(bootstrap: str, topic: str, folder: str, most: str, out: str) -> None:
    spark = (
        SparkSession.builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", most)
        .load()
    )
    rows = records.select(
        F.from_json(F.col("value").cast("string"), SCHEMA).alias("event"),
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("append_time"),
    ).select("event.*", "kafka_partition", "kafka_offset", "append_time")
    query = (
        rows.writeStream.format("delta").option("checkpointLocation", f"{folder}/checkpoint").start(f"{folder}/table")
    )
    if out:
        follow(query, topic_end(bootstrap, topic), Path(out))
        query.stop()
    else:
        query.awaitTermination()


if __name__ == "__main__":
    main(*sys.argv[1:])
