package org.apache.spark.sql.delta // Delta keeps its cleaning to itself

import java.util.concurrent.TimeUnit

import org.apache.spark.sql.SparkSession

/** What a Delta log needs from time to time, done when its writer says so and not within a commit. */
object LogUpkeep {

  /** Write a checkpoint where the table's commits since the last one are as many as its interval says. */
  def checkpoint(spark: SparkSession, path: String): Unit = {
    val log = DeltaLog.forTable(spark, path)
    val known = log.update()
    val since = known.version - known.logSegment.checkpointProvider.version
    if (since >= DeltaConfigs.CHECKPOINT_INTERVAL.fromMetaData(known.metadata)) log.checkpoint(known, None)
  }

  /** Drop the part of the log that nobody needs any more to read the table as it is.
    *
    * Delta does so with each checkpoint, but by whole days: at a commit a second, 170,000 files or more would stay.
    */
  def forget(spark: SparkSession, path: String, hours: Long): Unit = {
    val log = DeltaLog.forTable(spark, path)
    log.cleanUpExpiredLogs(log.update(), None, Some(TimeUnit.HOURS.toMillis(hours)), TruncationGranularity.HOUR)
  }
}
