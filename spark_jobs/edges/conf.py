"""Spark's configuration: what every session shares, and what the stream application adds."""

import re

from millrace.settings import Settings

_DELTA = {
    "spark.sql.extensions": "millrace.ListedFiles,io.delta.sql.DeltaSparkSessionExtension,millrace.SteadyCode,"
    "millrace.PlanOnce,millrace.RepeatedHashes",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalog.millrace": "millrace.Procedures",
    "spark.delta.logStore.file.impl": "millrace.LocalLog",
    # Delta's defaults are made for thousands of files: 50 tasks to read a snapshot, a checkpoint each 10 commits.
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.properties.defaults.checkpointInterval": "100",
    # What a commit's checksum lists is read without a query; a table with a file a day stays below this for a year.
    "spark.databricks.delta.allFilesInCrc.thresholdNumFiles": "400",
    # VACUUM is called with the retention that the readers of a lake this small need, below Delta's week.
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.databricks.delta.vacuum.parallelDelete.enabled": "true",
    # MERGE would send all rows of a day through one task first; what was staged has as many files as it should have.
    "spark.databricks.delta.merge.repartitionBeforeWrite.enabled": "false",
    # Each run has staging tables of its own; without a bound, an hour's worth of their states would stay in memory.
    "spark.databricks.delta.delta.log.cacheSize": "300",
}
_SHARED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.ansi.enabled": "true",
    # A task's rows lie in one or two partitions, hours or days: a file for each at once, without sorting them first.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    # Delta's own queries alone need more than the usual 100 classes; what falls out is compiled again, and cold.
    "spark.sql.codegen.cache.maxEntries": "5000",
    "spark.ui.showConsoleProgress": "false",
    # Each query's plan as text for the UI, again after each of its stages: with every detail 7 % of what a step costs.
    "spark.sql.ui.explainMode": "simple",
    # Plans and numbers of a thousand past queries fill a small heap, and the collector then never rests.
    "spark.ui.retainedJobs": "100",
    "spark.ui.retainedStages": "100",
    "spark.ui.retainedTasks": "2000",
    "spark.sql.ui.retainedExecutions": "20",
    # For Prometheus, at /metrics/prometheus and /metrics/executors/prometheus of the UI's port.
    "spark.ui.prometheus.enabled": "true",
    "spark.metrics.namespace": "millrace",
    "spark.metrics.conf.*.sink.prometheusServlet.class": "org.apache.spark.metrics.sink.PrometheusServlet",
    "spark.metrics.conf.*.sink.prometheusServlet.path": "/metrics/prometheus",
    # VACUUM lists a table in this many tasks, 10,000 by default: minutes of two cores for a table of ten files.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    # The pseudonym key travels in plans as a pair of 64-byte literals.
    "spark.sql.redaction.string.regex": "X'[0-9A-Fa-f]{128}'|0x[0-9A-Fa-f]{128}",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|pseudonym|jaas",
}
_STREAM = {
    # Small batches, several a second: what adaptive planning could win there costs more than it brings.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.locality.wait": "0",
    # What does not fit is taken in pieces (`edges.collected`); the driver's heap is 1.5 GB.
    "spark.driver.maxResultSize": "128m",
    # Compaction leaves thousands of names an hour behind in bronze's log, which each checkpoint would carry for a week.
    "spark.databricks.delta.properties.defaults.deletedFileRetentionDuration": "interval 6 hours",
    # Bronze has a commit a second, and each would write the names of all files again.
    "spark.databricks.delta.allFilesInCrc.thresholdNumFiles": "50",
    # Records may be of ten megabytes; by default Parquet gathers up to 10,000 before it looks how large they are.
    "spark.hadoop.parquet.block.size": "33554432",
    **{f"spark.hadoop.parquet.{what}.size.row.check.min": "4" for what in ("block", "page")},
    **{f"spark.hadoop.parquet.{what}.size.row.check.max": "32" for what in ("block", "page")},
    # Each query has a pool of its own, so that a large landing batch does not hold up the live ones.
    "spark.scheduler.mode": "FAIR",
    "spark.sql.streaming.pollingDelay": "10ms",
    "spark.sql.streaming.noDataProgressEventInterval": "5000",
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.numRecentProgressUpdates": "4",
    "spark.sql.streaming.stopTimeout": "60s",
    "spark.sql.streaming.metricsEnabled": "true",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.ui.liveUpdate.period": "2s",
    "spark.sql.streaming.ui.retainedQueries": "20",
}


def spark_conf(settings: Settings) -> dict[str, str]:
    """What the Connect server and the stream application have in common; what the settings name wins."""
    return _DELTA | _SHARED | settings.spark_conf


def stream_conf(settings: Settings) -> dict[str, str]:
    """Everything a stream application runs with; what the settings name wins."""
    own = {"spark.ui.port": str(settings.spark_ui_port)} | parallelism(settings.stream_master)
    return spark_conf(settings) | _STREAM | own | settings.stream_conf


def parallelism(master: str) -> dict[str, str]:
    """Tasks that one query has at a time where the places are numbered (`local[6]`): a third of them.

    A running task gives its place to nobody. If landing or a model took all places, live would wait for their tasks,
    and not only share the processor with them.
    """
    places = re.fullmatch(r"local\[(\d+)\]", master)
    return {"spark.default.parallelism": str(max(1, int(places[1]) // 3))} if places else {}
