"""Spark sessions: a classic one for the stream application, a Connect one for batch work."""

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
