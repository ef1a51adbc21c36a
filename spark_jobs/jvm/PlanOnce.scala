package millrace

import java.nio.ByteBuffer
import java.util.concurrent.ConcurrentLinkedQueue

import org.apache.spark.{PartitionEvaluator, PartitionEvaluatorFactory, SparkEnv, TaskContext}
import org.apache.spark.broadcast.Broadcast
import org.apache.spark.internal.Logging
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Attribute, AttributeSet, BindReferences, CurrentTimestampLike, Expression, SubqueryExpression, UnsafeProjection}
import org.apache.spark.sql.catalyst.expressions.codegen.CodeGenerator
import org.apache.spark.sql.catalyst.plans.logical.{LeafNode, LogicalPlan, UnaryNode, UnresolvedHint}
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.classic
import org.apache.spark.sql.execution._

import scala.util.Try

/** The hint `plan_once`: steps that are the same in every batch of a stream are planned, and written as code, once.
  *
  * Spark plans a stream's query anew for each batch, and writes the code of all its expressions again, only to find that
  * it is compiled already. At four batches a second that is most of what a small batch costs. Under this hint the
  * projections and filters above the source become one step that holds its code. What else there is, and what would
  * not be the same in the next batch, is left to Spark: the hint then changes nothing. Nor does it where what is below is
  * not analysed yet, as over Connect.
  */
class PlanOnce extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    extensions.injectHintResolutionRule(session => new PlansOnce(session.asInstanceOf[classic.SparkSession]))
    extensions.injectPlannerStrategy(_ => RunsPlanned)
  }
}

private class PlansOnce(session: classic.SparkSession) extends Rule[LogicalPlan] {
  override def apply(plan: LogicalPlan): LogicalPlan = plan.resolveOperatorsUp {
    case UnresolvedHint(name, _, rows) if name.equalsIgnoreCase("plan_once") && rows.resolved =>
      planned(rows).getOrElse(rows)
  }

  private def planned(rows: LogicalPlan): Option[LogicalPlan] =
    rows.collectLeaves() match {
      case Seq(source) if !rows.exists(changes) =>
        val stand = LogicalRDD(source.output, session.sparkContext.emptyRDD[InternalRow])(session)
        val over = rows.transformUp { case leaf: LeafNode if leaf eq source => stand }
        val steps = PlannedSteps(session.sessionState.executePlan(over).executedPlan, session)
        steps.map(PlannedOnce(rows.output, _, source))
      case _ => None
    }

  /** Whether the same rows may give something else in the next batch. */
  private def changes(node: LogicalPlan): Boolean = node.expressions.exists { expression =>
    !expression.deterministic || expression.exists {
      case _: CurrentTimestampLike | _: SubqueryExpression => true
      case _ => false
    }
  }
}

/** Rows of `child` after `steps`; to the optimizer a wall, which needs every column below it. */
case class PlannedOnce(output: Seq[Attribute], steps: PlannedSteps, child: LogicalPlan) extends UnaryNode {
  override lazy val references: AttributeSet = child.outputSet
  override def producedAttributes: AttributeSet = outputSet
  override protected def withNewChildInternal(newChild: LogicalPlan): LogicalPlan = copy(child = newChild)
}

private object RunsPlanned extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case PlannedOnce(output, steps, child) => PlannedOnceExec(output, steps, planLater(child)) :: Nil
    case _ => Nil
  }
}

case class PlannedOnceExec(output: Seq[Attribute], steps: PlannedSteps, child: SparkPlan) extends UnaryExecNode {
  override def references: AttributeSet = child.outputSet
  override def producedAttributes: AttributeSet = outputSet

  override protected def doExecute(): RDD[InternalRow] = {
    val factories = steps.factories // the closure must not hold the plan
    child.execute().mapPartitionsWithIndex { (partition, rows) =>
      factories.foldLeft(rows)((input, factory) => factory.createEvaluator().eval(partition, input))
    }
  }

  override protected def withNewChildInternal(newChild: SparkPlan): SparkPlan = copy(child = newChild)
}

/** What each task runs over its rows, one after the other. */
class PlannedSteps(val factories: List[PlannedSteps.Factory]) extends Serializable {
  override def toString: String = s"${factories.size} steps"
}

object PlannedSteps extends Logging {
  type Factory = PartitionEvaluatorFactory[InternalRow, InternalRow]

  /** The JVM compiles no method that is larger; a projection by itself has its code in small ones. */
  private val MostBytecodes = 8000

  /** The steps of a plan of projections and filters over one source; none for any other. */
  def apply(plan: SparkPlan, session: classic.SparkSession): Option[PlannedSteps] = {
    val steps = factories(plan, session)
    if (steps.isEmpty) logWarning(s"planned for each batch, not once: ${plan.map(_.nodeName).mkString(", ")}")
    steps.map(found => new PlannedSteps(found.reverse))
  }

  private def factories(plan: SparkPlan, session: classic.SparkSession): Option[List[Factory]] = plan match {
    case _: LeafExecNode => Some(Nil)
    case InputAdapter(input) => factories(input, session)
    case stage: WholeStageCodegenExec =>
      compiled(stage, session) match {
        case Some(code) =>
          val before = stage.collectFirst { case input @ (_: InputAdapter | _: LeafExecNode) => input }
          before.flatMap(factories(_, session)).map(code :: _)
        case None => factories(stage.child, session)
      }
    case ProjectExec(columns, child) =>
      val bound = BindReferences.bindReferences(columns.toList, child.output).toList
      val kept = session.sparkContext.broadcast(KeptProjections(bound))
      factories(child, session).map(new Projects(kept) :: _)
    case filter: FilterExec =>
      val step = new FilterEvaluatorFactory(filter.condition, filter.child.output, filter.longMetric("numOutputRows"))
      factories(filter.child, session).map(step :: _)
    case _ => None
  }

  private def compiled(stage: WholeStageCodegenExec, session: classic.SparkSession): Option[Factory] = {
    val (context, code) = stage.doCodeGen()
    val largest = Try(CodeGenerator.compile(code)).map(_._2.maxMethodCodeSize).getOrElse(Int.MaxValue)
    Option.when(largest <= MostBytecodes) {
      val sent = session.sparkContext.broadcast(code)
      new WholeStageCodegenEvaluatorFactory(Left(sent), stage.longMetric("pipelineTime"), context.references.toArray)
    }
  }
}

/** A projection of which each executor keeps those that no task uses: one is not made, with its code, for each task. */
private class Projects(kept: Broadcast[KeptProjections]) extends PlannedSteps.Factory {
  override def createEvaluator(): PartitionEvaluator[InternalRow, InternalRow] =
    (partition: Int, rows: Seq[Iterator[InternalRow]]) => {
      val projection = kept.value.take()
      var largest = 0
      TaskContext.get().addTaskCompletionListener[Unit] { _ =>
        if (largest <= KeptProjections.MostBytes) kept.value.giveBack(projection)
      }
      projection.initialize(partition)
      rows.head.map { row =>
        val made = projection(row)
        largest = largest.max(made.getSizeInBytes)
        made
      }
    }
}

/** Each projection is made of a copy of the columns: what parses in them serves one task at a time. */
private class KeptProjections(columns: Array[Byte]) extends Serializable {
  @transient private lazy val idle = new ConcurrentLinkedQueue[UnsafeProjection]()

  def take(): UnsafeProjection = Option(idle.poll()).getOrElse {
    val loader = Thread.currentThread.getContextClassLoader
    UnsafeProjection.create(KeptProjections.serializer.deserialize[List[Expression]](ByteBuffer.wrap(columns), loader))
  }

  def giveBack(projection: UnsafeProjection): Unit = idle.add(projection)
}

private object KeptProjections {
  /** Of a row; a projection has memory for the largest that it made. */
  val MostBytes: Int = 1 << 18

  def apply(columns: List[Expression]): KeptProjections = new KeptProjections(serializer.serialize(columns).array)
  private def serializer = SparkEnv.get.closureSerializer.newInstance()
}
