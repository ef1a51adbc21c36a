"""SQL around a gold model's plain SELECT: the inputs it names, narrowed to what changed. Pure text."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any


def over(sql: str, inputs: Mapping[str, str]) -> str:
    """The model's SELECT with each bare input name standing for a query."""
    tables = ",\n".join(f"`{name}` AS (\n{query}\n)" for name, query in inputs.items())
    return f"WITH {tables}\nSELECT * FROM (\n{sql}\n)"


def rows_of(table: str, condition: str = "true") -> str:
    return f"SELECT * FROM {table} WHERE {condition}"


def rows_of_keys(table: str, key: Iterable[str], keys: str) -> str:
    """The rows of `table` whose key occurs in the query `keys`; null is a key like others."""
    same = " AND ".join(f"i.`{column}` <=> k.`{column}`" for column in key)
    return f"SELECT i.* FROM {table} i LEFT SEMI JOIN (\n{keys}\n) k ON {same}"


def keys_in(table: str, key: Iterable[str], condition: str) -> str:
    return f"SELECT DISTINCT {', '.join(f'`{column}`' for column in key)} FROM {table} WHERE {condition}"


def among(column: str, values: Iterable[Any]) -> str:
    """Condition that `column` has one of `values`; Delta prunes partitions by it."""
    known = [literal(value) for value in values if value is not None]
    listed = f"{column} IN ({', '.join(known)})" if known else "false"
    return f"({listed} OR {column} IS NULL)" if None in values else listed


def literal(value: Any) -> str:
    """A value that Spark gave out, as Spark SQL."""
    match value:
        case bool():
            return str(value).lower()
        case date() if not isinstance(value, datetime):
            return f"DATE'{value.isoformat()}'"
        case int():
            return str(value)
        case str():
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    raise TypeError(f"a gold table cannot be partitioned by {type(value).__name__}; use a date, a text or a number")


def same(columns: Iterable[str], left: str = "t", right: str = "c") -> str:
    return " AND ".join(f"{left}.`{column}` <=> {right}.`{column}`" for column in columns)


def differs(columns: Iterable[str], left: str = "t", right: str = "c") -> str:
    """Whether two rows differ in any of `columns`, whatever their types."""
    mine, yours = (", ".join(f"{side}.`{column}`" for column in columns) for side in (left, right))
    return f"to_json(struct({mine})) <> to_json(struct({yours}))" if mine else "false"
