"""Times as JSON has them: texts in ISO-8601, by our own reading."""

from pyspark.sql import Column, functions as F

from millrace.contracts import avro

_TIMESTAMP = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?\z"
_DATE = r"^\d{4}-\d\d-\d\d\z"


def typed(field: avro.Column, raw: Column) -> Column:
    """A time's text in its Spark type, null when it cannot be; another value as it is."""
    if field.spark_type == "timestamp":
        return F.when(raw.rlike(_TIMESTAMP), raw.try_cast("timestamp"))
    if field.spark_type == "date":
        return F.when(raw.rlike(_DATE), raw.try_cast("date"))
    return raw
