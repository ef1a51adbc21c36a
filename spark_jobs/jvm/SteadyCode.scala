package millrace

import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, LeafExpression, Literal}
import org.apache.spark.sql.catalyst.expressions.codegen.{CodeGenerator, CodegenContext, ExprCode, FalseLiteral}
import org.apache.spark.sql.catalyst.expressions.codegen.Block._
import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.{ColumnarRule, LeafExecNode, SparkPlan}
import org.apache.spark.sql.types.{DataType, DateType, TimestampType}

/** The same query over another hour runs code that is there already.
  *
  * Spark writes a moment into the code that it generates as a number, so each hour has code of its own: compiled anew
  * by Spark, run by an interpreter first, and compiled by the JVM once more. Here the moments of a finished plan are
  * handed to the code as it starts. What reads files keeps its literals, for it skips files by them.
  */
class SteadyCode extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit =
    extensions.injectColumnar(_ => new ColumnarRule {
      override def preColumnarTransitions: Rule[SparkPlan] = MomentsAsArguments
    })
}

private object MomentsAsArguments extends Rule[SparkPlan] {
  override def apply(plan: SparkPlan): SparkPlan = plan.transform {
    case reads: LeafExecNode => reads
    case node =>
      node.transformExpressions {
        case Literal(value, kind @ (TimestampType | DateType)) if value != null => Argument(value, kind)
      }
  }
}

/** A constant that generated code is given, instead of having it in its text. */
case class Argument(value: Any, dataType: DataType) extends LeafExpression {
  override def nullable: Boolean = false
  override def eval(input: InternalRow): Any = value

  override protected def doGenCode(ctx: CodegenContext, ev: ExprCode): ExprCode = {
    val boxed = CodeGenerator.boxedType(dataType)
    val given = ctx.addReferenceObj("argument", value, boxed)
    val kind = CodeGenerator.javaType(dataType)
    ev.copy(code = code"final $kind ${ev.value} = ($kind) $given;", isNull = FalseLiteral)
  }
}
