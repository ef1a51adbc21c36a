package millrace

import java.nio.ByteBuffer
import java.util.Arrays

import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.FunctionIdentifier
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, ExpressionInfo, ImplicitCastInputTypes}
import org.apache.spark.sql.catalyst.expressions.aggregate.{ImperativeAggregate, TypedImperativeAggregate}
import org.apache.spark.sql.catalyst.trees.UnaryLike
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.sql.types.{ArrayType, DataType, LongType}

/** The aggregate `repeated_hashes(bigint)`: those numbers that occur more than once; null where there are too many to tell.
  *
  * Grouping by a number that is nearly always another one moves every row to find a few. Here each task keeps its numbers
  * in an array, eight bytes each, and the last one sorts them all.
  */
class RepeatedHashes extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    val name = FunctionIdentifier("repeated_hashes")
    val about = new ExpressionInfo(classOf[RepeatedNumbers].getName, name.funcName)
    extensions.injectFunction((name, about, { case Seq(number) => RepeatedNumbers(number) }))
  }
}

case class RepeatedNumbers(child: Expression, mutableAggBufferOffset: Int = 0, inputAggBufferOffset: Int = 0)
    extends TypedImperativeAggregate[Numbers] with UnaryLike[Expression] with ImplicitCastInputTypes {

  override def inputTypes: Seq[DataType] = Seq(LongType)
  override def dataType: DataType = ArrayType(LongType, containsNull = false)
  override def nullable: Boolean = true
  override def prettyName: String = "repeated_hashes"

  override def createAggregationBuffer(): Numbers = new Numbers

  override def update(numbers: Numbers, row: InternalRow): Numbers = {
    val value = child.eval(row)
    if (value != null) numbers.add(value.asInstanceOf[Long])
    numbers
  }

  override def merge(numbers: Numbers, others: Numbers): Numbers = numbers.addAll(others)
  override def eval(numbers: Numbers): Any = numbers.repeated.map(ArrayData.toArrayData).orNull
  override def serialize(numbers: Numbers): Array[Byte] = numbers.toBytes
  override def deserialize(bytes: Array[Byte]): Numbers = Numbers.of(bytes)

  override def withNewMutableAggBufferOffset(offset: Int): ImperativeAggregate = copy(mutableAggBufferOffset = offset)
  override def withNewInputAggBufferOffset(offset: Int): ImperativeAggregate = copy(inputAggBufferOffset = offset)
  override protected def withNewChildInternal(child: Expression): Expression = copy(child = child)
}

/** Numbers in the order in which they came. Of more than `Numbers.Most` none is kept: there is nothing to be told. */
class Numbers {
  private var values = new Array[Long](1024)
  private var count = 0

  def add(value: Long): Unit =
    if (count == Numbers.Most) giveUp()
    else if (!tooMany) {
      if (count == values.length) values = Arrays.copyOf(values, math.min(count * 2, Numbers.Most))
      values(count) = value
      count += 1
    }

  def addAll(others: Numbers): Numbers = {
    if (others.tooMany) giveUp()
    var at = 0
    while (at < others.count) { add(others.values(at)); at += 1 }
    this
  }

  /** Each number that occurs more than once, once. */
  def repeated: Option[Array[Long]] = Option.when(!tooMany) {
    val sorted = Arrays.copyOf(values, count)
    Arrays.sort(sorted)
    val found = Array.newBuilder[Long]
    var at = 1
    while (at < count) {
      if (sorted(at) == sorted(at - 1) && (at == 1 || sorted(at) != sorted(at - 2))) found += sorted(at)
      at += 1
    }
    found.result()
  }

  def toBytes: Array[Byte] = if (tooMany) Numbers.TooMany else {
    val bytes = ByteBuffer.allocate(count * java.lang.Long.BYTES)
    bytes.asLongBuffer().put(values, 0, count)
    bytes.array()
  }

  private def tooMany: Boolean = count < 0

  private def giveUp(): Unit = { values = Array.empty; count = -1 }
}

object Numbers {

  /** Some thirty bytes each while they are sent and sorted: for more of them the rows are grouped. */
  val Most: Int = 4000000
  private val TooMany: Array[Byte] = Array(1)

  def of(bytes: Array[Byte]): Numbers = {
    val numbers = new Numbers
    if (bytes.length == TooMany.length) numbers.giveUp()
    else {
      val longs = ByteBuffer.wrap(bytes).asLongBuffer()
      while (longs.hasRemaining) numbers.add(longs.get())
    }
    numbers
  }
}
