package millrace

import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{SparkSession, SparkSessionExtensions}
import org.apache.spark.sql.catalyst.{FunctionIdentifier, InternalRow}
import org.apache.spark.sql.catalyst.expressions.{And, AttributeReference, BoundReference, Cast, Expression, ExpressionInfo, Literal, Predicate}
import org.apache.spark.sql.catalyst.plans.logical.{LocalRelation, LogicalPlan}
import org.apache.spark.sql.catalyst.types.DataTypeUtils
import org.apache.spark.sql.delta.{DeltaLog, OptimisticTransaction, Snapshot}
import org.apache.spark.sql.delta.actions.AddFile
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types.{LongType, StringType, StructType}
import org.apache.spark.unsafe.types.UTF8String

/** The table function `listed_files(path)`: a Delta table's partition columns, and the name and rows of each file.
  *
  * To tell a table's files, Delta reads its log by a query, anew after each commit: more work than most of our questions
  * are worth. For a table of few files the checksum beside the newest commit names them, and is read with it anyway. A row
  * of nothing but nulls stands for a table of which it does not. Queries over such a table go by it, too (`ListedScans`).
  */
class ListedFiles extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    val name = FunctionIdentifier("listed_files")
    val about = new ExpressionInfo(ListedFiles.getClass.getName, name.funcName)
    extensions.injectTableFunction((name, about, { case Seq(path) => ListedFiles.relation(path.eval().toString) }))
    extensions.injectPreCBORule(new ListedScans(_))
  }
}

object ListedFiles {

  /** All files of the table; None where the checksum does not say, or rows are deleted without a change of files. */
  def of(table: Snapshot): Option[Seq[AddFile]] =
    table.checksumOpt.flatMap(_.allFiles).filter(_.forall(_.deletionVector == null))

  /** Those of a transaction's table in which rows may meet the conditions. What was looked at is noted in the transaction,
    * so that a commit in between that changes the answer is a conflict.
    */
  def read(table: OptimisticTransaction, conditions: Seq[Expression]): Seq[AddFile] =
    of(table.snapshot).flatMap(among(_, conditions, table.metadata.partitionSchema)).map { files =>
      table.trackReadPredicates(conditions)
      table.trackFilesRead(files)
      files
    }.getOrElse(table.filterFiles(conditions))

  /** Those of partitions for which the conditions hold; None where partitions alone do not decide. */
  def among(files: Seq[AddFile], conditions: Seq[Expression], partitions: StructType): Option[Seq[AddFile]] =
    if (files.isEmpty) Some(Nil)
    else Option.when(conditions.forall(_.references.forall(column => partitions.names.contains(column.name)))) {
      val bound = conditions.reduceOption(And).getOrElse(Literal.TrueLiteral).transform {
        case column: AttributeReference =>
          val place = partitions.fieldIndex(column.name)
          BoundReference(place, partitions(place).dataType, nullable = true)
      }
      val holds = Predicate.createInterpreted(bound)
      files.filter(file => holds.eval(values(file, partitions)))
    }

  private def relation(path: String): LogicalPlan = {
    val table = DeltaLog.forTable(SparkSession.active, path).update()
    val partitions = table.metadata.partitionSchema
    val schema = partitions.add("file_name", StringType).add("file_rows", LongType)
    val unknown = Seq(InternalRow.fromSeq(Seq.fill(schema.size)(null)))
    val rows = of(table).filter(_ => table.version >= 0).fold(unknown)(_.map(row(_, partitions)))
    LocalRelation(DataTypeUtils.toAttributes(schema), rows)
  }

  private def row(file: AddFile, partitions: StructType): InternalRow = {
    val name = UTF8String.fromString(new Path(file.path).getName)
    InternalRow.fromSeq(values(file, partitions).toSeq(partitions) ++ Seq(name, file.numLogicalRecords.orNull))
  }

  private def values(file: AddFile, partitions: StructType): InternalRow =
    InternalRow.fromSeq(partitions.map { field =>
      val text = Literal(UTF8String.fromString(file.partitionValues(field.name)), StringType)
      Cast(text, field.dataType, Some(SQLConf.get.sessionLocalTimeZone), ansiEnabled = false).eval()
    })
}
