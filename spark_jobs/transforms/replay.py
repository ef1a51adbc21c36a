"""Quarantined records after a declared fix: what they would become if they came again. Pure."""

from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, functions as F

from millrace.contracts.source import Source
from millrace.errors import ConfigError
from millrace.quarantine.reason import FOUND, ID_LENGTH, NOTHING, VARIABLE
from spark_jobs.transforms.decode import decode, explain
from spark_jobs.transforms.silver import judge

RECORD = ("key", "value", "headers", "kafka_topic", "kafka_partition", "kafka_offset", "append_time")
"""What a quarantined record brings along; `headers` is an array of key and binary value."""
ORIGINAL, _OLD_ID, _ID = "_original", "_old_id", "_event_id"


def reason_group(reason: Column) -> Column:
    """The reason without what differs from record to record; as in the view ops.quarantine_records."""
    cut = reduce(lambda text, rule: F.regexp_replace(text, *rule), VARIABLE, reason)
    found = F.substring(reason, F.instr(reason, FOUND), F.length(reason))
    return F.when(found == FOUND + NOTHING, reason).otherwise(cut)


def group_id(source: Column, stage: Column, reason: Column) -> Column:
    """Short id of the group that a record belongs to."""
    return F.substring(F.sha2(F.concat_ws("|", source, stage, reason_group(reason)), 256), 1, ID_LENGTH)


def fixed(originals: DataFrame, source: Source, schemas: Mapping[int, str], fix: str | None) -> DataFrame:
    """`value` as the fix makes it, with the original in `_original` and its event id, where it is readable.

    The fix may use value, text, key, headers, event and append_time. Raises ConfigError when it gives no text or bytes.
    """
    inputs = decode(originals, source, schemas).withColumn("text", F.col("value").cast("string"))
    value = F.col("value") if fix is None else F.expr(fix)
    kind = inputs.select(value.alias("value")).schema["value"].dataType.simpleString()
    if kind not in {"string", "binary"}:
        raise ConfigError(f"the fix gives {kind}; expected a string or binary, the record's new value")
    return inputs.select(
        F.struct(*RECORD).alias(ORIGINAL), readable_id(source).alias(_OLD_ID), value.cast("binary").alias("value")
    )


def readable_id(source: Source) -> Column:
    """The event id of a record that may be broken, as text; null where no reader would find one."""
    name = source.event.id
    decoded = F.col("event")[name].cast("string")
    if source.format != "json":
        return decoded
    quoted = F.regexp_extract("text", f'"{name}"\\s*:\\s*"([^"\\\\]*)"', 1)
    return F.coalesce(decoded, F.get_json_object("text", f"$.{name}"), F.nullif(quoted, F.lit("")))


def verdicts(
    records: DataFrame,
    source: Source,
    schemas: Mapping[int, str],
    refine: Callable[[DataFrame], DataFrame],
    rules: Mapping[str, str],
) -> DataFrame:
    """For each record that `fixed` gives: the original, the new value, `_event_id`, and `reason`, null when it is good.

    Judged as landing and silver would, were the record appended now. `refine` and `rules`: the source's own refinement.
    """
    decoded = decode(records, source, schemas)
    columns = (ORIGINAL, "value", _ID, "reason")
    bad = explain(decoded.filter(~F.col("good")).drop("event", "unknown_fields", "good"), source, schemas)
    good = _judged(decoded.filter("good"), source, refine, rules)
    return good.select(*columns).unionByName(bad.withColumn(_ID, F.lit(None).cast("string")).select(*columns))


def outcomes(judged: DataFrame, landed: DataFrame) -> DataFrame:
    """Add `outcome`: refused, landed (an id of `landed`, column `_event_id`, is the record's own), or ready."""
    there = landed.select(_ID).distinct().withColumn("_landed", F.lit(True))
    outcome = F.when(F.col("reason").isNotNull(), "refused").when(F.col("_landed"), "landed").otherwise("ready")
    return judged.join(there, _ID, "left").withColumn("outcome", outcome).drop("_landed")


def event_ids(rows: DataFrame, source: Source) -> DataFrame:
    """The ids of bronze rows, as `outcomes` wants them."""
    return rows.select(F.col(source.event.id).cast("string").alias(_ID))


def _judged(
    decoded: DataFrame, source: Source, refine: Callable[[DataFrame], DataFrame], rules: Mapping[str, str]
) -> DataFrame:
    """As silver judges bronze rows. The record itself travels in one column, out of the way of the source's fields."""
    now = F.current_timestamp()
    rows = decoded.select(
        F.struct(ORIGINAL, _OLD_ID, "value", F.col("event")[source.event.id].cast("string").alias(_ID)).alias("_kept"),
        *[F.col("event")[name].alias(name) for name in source.fields],
        "unknown_fields",
        now.alias("ingestion_timestamp"),
        *[F.col(ORIGINAL)[name].alias(name) for name in ("kafka_topic", "kafka_partition", "kafka_offset")],
        now.alias("append_time"),
        F.date_trunc("hour", now).alias("append_hour"),
    )
    judged = rows.transform(refine).transform(judge, source, rules)
    refined_id = F.col(source.event.id).cast("string")
    return judged.select(
        F.col("_kept")[ORIGINAL].alias(ORIGINAL),
        F.col("_kept")["value"].alias("value"),
        refined_id.alias(_ID),
        F.coalesce(_changed_id(source), F.col("reason")).alias("reason"),
    )


def _changed_id(source: Source) -> Column:
    """A record that came under an id comes again under the same, or repeating it would make two events."""
    old, new = F.col("_kept")[_OLD_ID], F.col("_kept")[_ID]
    return F.when(old.isNotNull() & ~old.eqNullSafe(new), F.lit(f"{source.event.id}: the fix changes it"))
