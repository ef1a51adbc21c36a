"""Spark sessions: a classic one for the stream application, a Connect one for batch work."""

import json
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from millrace.settings import Settings
from spark_jobs.edges.conf import stream_conf


def stream_session(settings: Settings, group: str) -> SparkSession:
    """The session of a stream application; spark-submit has set the master, the memory and the jars."""
    builder = SparkSession.builder.appName(f"millrace-{group}")
    for key, value in stream_conf(settings).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def connect_session(settings: Settings) -> SparkSession:
    """A session on the Connect server, for one Airflow task; the caller stops it."""
    return SparkSession.builder.remote(settings.spark_connect_url).create()


def is_alive(spark: SparkSession) -> bool:
    """Whether the JVM behind a classic session still answers, with its context running."""
    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except (Py4JError, OSError):
        return False


def work_done(spark: SparkSession, job_group: str) -> tuple[int, int]:
    """Jobs begun in a group, and tasks finished in those that run: changes whenever Spark gets on with them."""
    jvm: Any = spark._jvm
    tracker = spark.sparkContext._jsc.statusTracker()

    def numbers(ids: Any) -> list[int]:
        return list(json.loads(jvm.java.util.Arrays.toString(ids)))  # one call; an array's items would cost one each

    try:
        jobs = numbers(tracker.getJobIdsForGroup(job_group))
        running = set(jobs) & set(numbers(tracker.getActiveJobIds()))
        infos = [info for job in running if (info := tracker.getJobInfo(job)) is not None]
        stages = [tracker.getStageInfo(stage) for info in infos for stage in numbers(info.stageIds())]
        return max(jobs, default=-1), sum(stage.numCompletedTasks() for stage in stages if stage is not None)
    except (Py4JError, OSError):
        return -1, -1
