package millrace

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.expressions.{Expression, ExpressionSet, FileSourceMetadataAttribute}
import org.apache.spark.sql.delta.{DeltaTableUtils, GeneratedColumn, Snapshot}
import org.apache.spark.sql.delta.actions.AddFile
import org.apache.spark.sql.delta.stats.{DataSize, DeltaDataSkippingType, DeltaScan, DeltaScanGenerator, PrepareDeltaScan}
import org.apache.spark.sql.execution.datasources.LogicalRelation

/** Reads a Delta table of few files without a query over its log, where the checksum of the newest commit lists them.
  *
  * Takes Delta's own rule's place, by coming before it; what it cannot answer is left to that one.
  */
class ListedScans(session: SparkSession) extends PrepareDeltaScan(session) {
  override protected def filesForScan(
      generator: DeltaScanGenerator, limit: Option[Int], filters: Seq[Expression], relation: LogicalRelation
  ): DeltaScan = {
    val listed = generator match {
      case table: Snapshot if limit.isEmpty && !GeneratedColumn.hasGeneratedColumns(table.schema) => scan(table, filters)
      case _ => None // A transaction notes what it reads.
    }
    listed.getOrElse(super.filesForScan(generator, limit, filters, relation))
  }

  /** Files of so many bytes are read without asking which of them a filter can leave out: it would take longer. */
  private def few: Long = session.conf.get("spark.millrace.scans.wholeBytes", (8L << 20).toString).toLong

  private def scan(table: Snapshot, filters: Seq[Expression]): Option[DeltaScan] = {
    val began = System.currentTimeMillis()
    val (plain, others) = filters.partition(isPlain)
    val columns = table.metadata.partitionColumns
    val (onPartitions, onRows) = plain.partition(DeltaTableUtils.isPredicatePartitionColumnsOnly(_, columns, session))
    for {
      all <- ListedFiles.of(table)
      files <- ListedFiles.among(all, onPartitions, table.metadata.partitionSchema)
      if onRows.isEmpty || files.map(_.size).sum <= few
    } yield DeltaScan(table.version, files.map(_.copy(stats = null)), size(all), size(files), size(files))(
      scannedSnapshot = table,
      partitionFilters = ExpressionSet(onPartitions),
      dataFilters = ExpressionSet(Nil),
      partitionLikeDataFilters = ExpressionSet(Nil),
      rewrittenPartitionLikeDataFilters = Set.empty,
      unusedFilters = ExpressionSet(onRows ++ others),
      scanDurationMs = System.currentTimeMillis() - began,
      dataSkippingType = DeltaDataSkippingType.partitionFilteringOnlyV1
    )
  }

  /** Whether statistics or partitions may say anything about the filter. */
  private def isPlain(filter: Expression): Boolean =
    filter.deterministic && !DeltaTableUtils.containsSubquery(filter) &&
      !filter.references.exists { case FileSourceMetadataAttribute(_) => true; case _ => false }

  private def size(files: Seq[AddFile]): DataSize =
    DataSize(bytesCompressed = Some(files.map(_.size).sum), files = Some(files.size.toLong))
}
