"""Run by test_known_transactions.py in a Spark of its own: threads that append the same batches to one table."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from threading import Event

from pyspark.sql import SparkSession

from millrace.contracts.avro import Column
from millrace.errors import FencedError
from millrace.launch import spark_jars
from millrace.settings import read_settings
from spark_jobs.edges import lake
from spark_jobs.edges.bronze_tables import append_once, last_batch, shorten_log, write_checkpoint
from spark_jobs.edges.conf import spark_conf
from spark_jobs.edges.health import Health
from spark_jobs.edges.patience import Patience
from spark_jobs.edges.rollback import lost_commits, restored, set_aside_empty_commits, well_before_the_end

WRITERS, BATCHES, ROWS = 3, 4, 10
TABLE = "table"


def main(folder: Path) -> None:
    """Each batch by all writers at once; then the last one once more."""
    settings, table = read_settings(), folder / TABLE
    jars = ":".join(map(str, spark_jars(settings)))
    own = {"spark.driver.extraClassPath": jars, "spark.ui.enabled": "false", "spark.driver.memory": "1g"}
    builder = SparkSession.builder.master("local[2]")
    for key, value in (spark_conf(settings) | own).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    rows = spark.range(ROWS)
    rows.limit(0).write.format("delta").option("delta.checkpointInterval", str(BATCHES)).save(str(table))

    def append(batch: int) -> str:
        try:
            append_once(Patience(Health(), Event()), "race", rows, str(table), "app", batch)
        except FencedError:
            return "fenced"
        return "done"

    ends: list[str] = []
    for batch in range(BATCHES):
        with ThreadPoolExecutor(WRITERS) as pool:
            ends += pool.map(append, repeat(batch, WRITERS))
    append(BATCHES - 1)
    result = {"ends": ends, "rows": spark.read.format("delta").load(str(table)).count()}
    result |= log_kept(spark, table) | gone_back(spark, folder / "bronze")
    (folder / "result.json").write_text(json.dumps(result))


def log_kept(spark: SparkSession, table: Path) -> dict[str, object]:
    """The log as appending left it, with a checkpoint written, and with what is five hours old forgotten."""
    log = table / "_delta_log"
    appended = names_of(log)
    write_checkpoint(spark, str(table))
    checkpointed = names_of(log)
    write_checkpoint(spark, str(table))
    again = names_of(log)
    for second, file in enumerate(sorted(log.iterdir())):
        os.utime(file, (time.time() - 5 * 3600 + second,) * 2)
    spark.range(1).write.format("delta").mode("append").save(str(table))
    shorten_log(spark, str(table), 3)
    left = spark.read.format("delta").load(str(table)).count()
    return {"appended": appended, "checkpointed": checkpointed, "again": again, "short": names_of(log), "left": left}


def gone_back(spark: SparkSession, table: Path) -> dict[str, object]:
    """What is known of a table of three batches, the second one empty: when its two newest commits have lost their
    content, and when it is restored to the second one."""
    path, log = str(table), table / "_delta_log"
    rows = spark.sql(
        """SELECT 't' AS kafka_topic, CAST(id % 2 AS int) AS kafka_partition, id AS kafka_offset,
           timestamp_seconds(id * 600) AS append_time FROM range(20)"""
    )
    lake.ensure(spark, path, [Column(name=n, spark_type=t, nullable=True) for n, t in rows.dtypes], partition=None)
    states: list[object] = []

    def append(batch: int, condition: str) -> None:
        append_once(Patience(Health(), Event()), "back", rows.where(condition), path, "app", batch)
        look()

    def look() -> None:
        count = spark.read.format("delta").load(path).count()
        states.append([last_batch(spark, [path], "app"), restored(spark, path), count])

    def empty_two() -> list[str]:
        for name in sorted(file.name for file in log.iterdir() if file.suffix == ".json")[-2:]:
            (log / name).write_bytes(b"")
        moved = set_aside_empty_commits(path)
        spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
        return moved

    for batch, condition in enumerate(("kafka_offset < 10", "false", "kafka_offset >= 10")):
        append(batch, condition)
    begin, lost = well_before_the_end(spark, path, "t"), [lost_commits(path, None)]
    moved = [empty_two(), set_aside_empty_commits(path)]
    lost += [lost_commits(path, None), lost_commits(path, datetime.now(UTC))]
    look()
    append(1, "false")
    append(2, "kafka_offset >= 10")
    spark.sql(f"RESTORE TABLE {lake.table(path)} TO VERSION AS OF 2").collect()  # Delta writes a checkpoint of it
    look()
    append(3, "kafka_offset >= 10")
    return {"states": states, "begin": begin, "lost": lost, "moved": [*moved, empty_two()]}


def names_of(log: Path) -> list[str]:
    return sorted(file.name for file in log.iterdir() if file.suffix in {".json", ".parquet"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
