package millrace

import java.nio.file.{FileAlreadyExistsException, FileSystemException, Files, Paths, StandardCopyOption}
import java.nio.file.attribute.FileTime
import java.util.UUID

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileUtil, Path}
import org.apache.spark.sql.{classic, SaveMode, SparkSession}
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.getPartitionPathString
import org.apache.spark.sql.catalyst.expressions.{Expression, PredicateHelper}
import org.apache.spark.sql.catalyst.plans.logical.{Filter, LocalRelation}
import org.apache.spark.sql.catalyst.types.DataTypeUtils
import org.apache.spark.sql.delta.{DeltaLog, DeltaOperations, DeltaTableUtils, GeneratedColumn, NoMapping, OptimisticTransaction, Snapshot}
import org.apache.spark.sql.delta.actions.{AddFile, Metadata, SingleAction}
import org.apache.spark.sql.delta.constraints.Constraints
import org.apache.spark.sql.delta.util.DeltaFileOperations.absolutePath
import org.apache.spark.sql.execution.metric.SQLMetrics
import org.apache.spark.util.SerializableConfiguration

/** Takes files of a staging table into another table as they are: what was judged is what is published.
  *
  * Their rows are neither read nor written again. Within one local file system a file gets a second name; elsewhere it is
  * copied.
  */
object StagedFiles extends PredicateHelper {

  /** Add the files of the partitions `rows` of `staged` to `target`, in one commit.
    *
    * Every row added meets `condition`: another writer's commit that touches such rows is a conflict. With `replace`,
    * about which partition columns alone may decide, the rows of `target` that meet it go; without, there may be none. A
    * call that comes twice changes nothing, for files keep their names.
    *
    * Throws UnsupportedOperationException where the files are not what a write to `target` would have made, and
    * IllegalStateException where `target` holds rows that meet `condition`.
    */
  def publish(
      spark: SparkSession, staged: String, target: String, rows: String, condition: String, replace: Boolean
  ): Unit = {
    val source = DeltaLog.forTable(spark, staged).update()
    DeltaLog.forTable(spark, target).withNewTransaction { table =>
      misfit(spark, source.metadata, table.metadata).foreach { reason =>
        throw new UnsupportedOperationException(s"files of $staged cannot be taken into $target: $reason")
      }
      val conditions = resolved(spark, condition, table.metadata)
      if (replace) mustBeOfPartitions(spark, conditions, table.metadata)
      val there = ListedFiles.read(table, conditions)
      val files = filesOf(spark, source, rows).map(file => file -> as(file, table.metadata))
      val (known, names) = (there.map(_.path).toSet, files.map(_._2.path).toSet)
      val added = files.filterNot { case (_, file) => known(file.path) }
      val others = there.filterNot(file => names(file.path))
      if (!replace) mustHoldNone(table, others, condition)
      val gone = if (replace) others else Nil
      if (added.nonEmpty || gone.nonEmpty) {
        bring(spark, added.map { case (from, to) => whole(source, from) -> whole(table.snapshot, to) })
        count(spark, table, added.map(_._2), gone)
        val mode = if (replace) SaveMode.Overwrite else SaveMode.Append
        val how = DeltaOperations.Write(mode, Some(table.metadata.partitionColumns), Some(condition))
        table.commit(added.map(_._2) ++ gone.map(_.remove), how)
      }
    }
  }

  /** Why the rows of the one table's files would not be read from the other table as they were written. */
  private def misfit(spark: SparkSession, from: Metadata, to: Metadata): Option[String] = {
    val types = from.schema.fields.map(field => field.name -> field.dataType).toMap
    val other = to.schema.fields.collectFirst {
      case f if types.get(f.name).exists(!DataTypeUtils.equalsIgnoreCaseAndNullability(_, f.dataType)) => f.name
    }
    other.map(name => s"column $name has another type")
      .orElse(Option.when(!to.partitionColumns.forall(from.partitionColumns.contains))("it has other partitions"))
      .orElse(Option.when(Seq(from, to).exists(_.columnMappingMode != NoMapping))("columns are mapped"))
      .orElse(Option.when(Constraints.getAll(to, spark).nonEmpty)("it has constraints"))
      .orElse(Option.when(GeneratedColumn.hasGeneratedColumns(to.schema))("it has generated columns"))
  }

  /** Asked within the transaction: a commit since then that brings such rows is a conflict, and the question is asked anew. */
  private def mustHoldNone(table: OptimisticTransaction, others: Seq[AddFile], condition: String): Unit =
    if (others.nonEmpty && !table.deltaLog.createDataFrame(table.snapshot, others).where(condition).isEmpty)
      throw new IllegalStateException(s"${table.deltaLog.dataPath} holds such rows already: $condition")

  private def mustBeOfPartitions(spark: SparkSession, conditions: Seq[Expression], table: Metadata): Unit =
    conditions.find(!DeltaTableUtils.isPredicatePartitionColumnsOnly(_, table.partitionColumns, spark)).foreach { found =>
      throw new IllegalArgumentException(s"only partitions can be replaced by files, but ${found.sql} looks at rows")
    }

  private def resolved(spark: SparkSession, condition: String, table: Metadata): Seq[Expression] = {
    val state = spark.asInstanceOf[classic.SparkSession].sessionState
    val rows = LocalRelation(DataTypeUtils.toAttributes(table.schema))
    val filter = Filter(state.sqlParser.parseExpression(condition), rows)
    state.executePlan(filter).analyzed.collectFirst { case Filter(found, _) => found }.toSeq.flatMap(splitConjunctivePredicates)
  }

  private def filesOf(spark: SparkSession, table: Snapshot, rows: String): Seq[AddFile] = {
    val (conditions, partitions) = (resolved(spark, rows, table.metadata), table.metadata.partitionSchema)
    ListedFiles.of(table).flatMap(ListedFiles.among(_, conditions, partitions)).getOrElse {
      val found = DeltaLog.filterFileList(partitions, table.allFiles.toDF(), conditions)
      found.as[AddFile](SingleAction.addFileEncoder).collect().toSeq
    }
  }

  /** The file as `table` lists it. Its place there follows from its name, so that it is not taken twice. */
  private def as(file: AddFile, table: Metadata): AddFile = {
    val values = table.partitionColumns.map(column => column -> file.partitionValues(column))
    val folders = values.map { case (column, value) => getPartitionPathString(column, value) }
    val path = new Path((folders :+ file.toPath.getName).mkString("/")).toUri.toString
    AddFile(path, values.toMap, file.size, System.currentTimeMillis(), dataChange = true, stats = file.stats)
  }

  /** What `DESCRIBE HISTORY` tells of a write. */
  private def count(spark: SparkSession, table: OptimisticTransaction, added: Seq[AddFile], gone: Seq[AddFile]): Unit = {
    val counts = Map(
      "numFiles" -> added.size.toLong,
      "numOutputRows" -> added.flatMap(_.numLogicalRecords).sum,
      "numOutputBytes" -> added.map(_.size).sum,
      "numRemovedFiles" -> gone.size.toLong,
      "numRemovedBytes" -> gone.map(_.size).sum
    )
    table.registerSQLMetrics(spark, counts.map { case (name, value) =>
      val metric = SQLMetrics.createMetric(spark.sparkContext, name)
      metric.set(value)
      name -> metric
    })
  }

  private def whole(table: Snapshot, file: AddFile): String = absolutePath(table.deltaLog.dataPath.toString, file.path).toString

  private def bring(spark: SparkSession, files: Seq[(String, String)]): Unit = {
    val context = spark.sparkContext
    if (files.forall { case (from, to) => Seq(from, to).forall(new Path(_).toUri.getScheme == "file") }) {
      files.foreach { case (from, to) => LocalFiles.link(from, to) }
    } else if (files.nonEmpty) {
      val settings = new SerializableConfiguration(spark.asInstanceOf[classic.SparkSession].sessionState.newHadoopConf())
      context.parallelize(files, files.size).foreach { case (from, to) => copy(new Path(from), new Path(to), settings.value) }
    }
  }

  private def copy(from: Path, to: Path, settings: Configuration): Unit =
    FileUtil.copy(from.getFileSystem(settings), from, to.getFileSystem(settings), to, false, true, settings)
}

private object LocalFiles {

  /** Give a file a second name; where that one is on another file system, a copy of its own.
    *
    * It counts as written now: VACUUM removes files that no commit names yet once they are old.
    */
  def link(from: String, to: String): Unit = {
    val (source, name) = (Paths.get(new Path(from).toUri.getPath), Paths.get(new Path(to).toUri.getPath))
    Files.createDirectories(name.getParent)
    Files.setLastModifiedTime(source, FileTime.fromMillis(System.currentTimeMillis()))
    try Files.createLink(name, source)
    catch {
      case _: FileAlreadyExistsException => // by an attempt that did not come to its commit
      case _: FileSystemException | _: UnsupportedOperationException =>
        val partial = name.resolveSibling(s".${name.getFileName}.${UUID.randomUUID()}")
        Files.copy(source, partial)
        Files.move(partial, name, StandardCopyOption.ATOMIC_MOVE)
    }
  }
}
