package millrace

import org.apache.spark.sql.DataFrameWriter
import org.apache.spark.sql.Row
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.delta._

/** Appends to a Delta table under an application's id, at a cost that does not grow with the table.
  *
  * To tell whether an application's batch is there already, Delta reads the state of the whole table from its log before
  * each commit. The checksum file beside the newest commit holds the same answer; here it is asked first.
  */
object KnownTransactions extends TransactionExecutionObserver {
  def save(writer: DataFrameWriter[Row], path: String): Unit =
    TransactionExecutionObserver.withObserver(this)(writer.save(path))

  /** Version of the last commit that the table holds of an application, -1 for none. */
  def last(spark: SparkSession, path: String, id: String): Long =
    DeltaLog.forTable(spark, path).update().transactions.getOrElse(id, -1L)

  override def startingTransaction(start: => OptimisticTransaction): OptimisticTransaction =
    new KnownTransactions(start)

  override def preparingCommit[T](commit: => T): T = commit
  override def beginDoCommit(): Unit = ()
  override def beginBackfill(): Unit = ()
  override def beginPostCommit(): Unit = ()
  override def transactionCommitted(): Unit = ()
  override def transactionAborted(): Unit = ()
  override def createChild(): TransactionExecutionObserver = this
}

private class KnownTransactions(begun: OptimisticTransaction)
    extends OptimisticTransaction(begun.deltaLog, begun.catalogTable, begun.snapshot) {

  /** A checkpoint takes seconds, for which the next batch would wait: who appends writes it meanwhile. */
  override def isCheckpointNeeded(version: Long, committed: Snapshot): Boolean = false

  /** Version of the application's last commit, -1 where it made none. Reading it makes a conflict of every other
    * writer who commits under the same id in between.
    */
  override def txnVersion(id: String): Long =
    snapshot.checksumOpt.flatMap(_.setTransactions) match {
      case Some(known) =>
        readTxn += id
        known.find(_.appId == id).fold(-1L)(_.version)
      case None => super.txnVersion(id)
    }
}
