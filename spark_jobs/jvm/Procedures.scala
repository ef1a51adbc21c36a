package millrace

import java.util.{Collections, Iterator => JavaIterator}

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.connector.catalog.{Identifier, ProcedureCatalog}
import org.apache.spark.sql.connector.catalog.procedures.{ProcedureParameter, SimpleProcedure, UnboundProcedure}
import org.apache.spark.sql.connector.read.Scan
import org.apache.spark.sql.types.{BooleanType, DataType, StringType}
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/** What batch work asks of the engine beyond SQL, as a catalog: `CALL millrace.publish(…)`.
  *
  * Spark calls a procedure when the statement is analysed, and again when its rows are asked for: do not ask for any.
  */
class Procedures extends ProcedureCatalog {
  private var called = ""

  override def initialize(name: String, options: CaseInsensitiveStringMap): Unit = called = name
  override def name(): String = called
  override def listProcedures(namespace: Array[String]): Array[Identifier] = Array(Identifier.of(namespace, Publish.name()))

  override def loadProcedure(wanted: Identifier): UnboundProcedure =
    if (wanted.name() == Publish.name()) Publish
    else throw new IllegalArgumentException(s"no procedure ${wanted.name()} in $called; there is ${Publish.name()}")
}

private object Publish extends SimpleProcedure {
  override def name(): String = "publish"
  override def description(): String = "Takes files of a staging table into another table as they are."
  override def isDeterministic: Boolean = false

  override def parameters(): Array[ProcedureParameter] =
    Array("staged", "target", "rows", "condition").map(given(_, StringType)) :+ given("replace", BooleanType)

  override def call(arguments: InternalRow): JavaIterator[Scan] = {
    val Seq(staged, target, rows, condition) = (0 to 3).map(arguments.getUTF8String(_).toString)
    StagedFiles.publish(SparkSession.active, staged, target, rows, condition, arguments.getBoolean(4))
    Collections.emptyIterator()
  }

  private def given(name: String, kind: DataType): ProcedureParameter = ProcedureParameter.in(name, kind).build()
}
