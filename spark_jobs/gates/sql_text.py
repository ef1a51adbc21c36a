"""Names and values as Spark SQL text."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any


def quote(name: str) -> str:
    """A column name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def literal(value: object) -> str:
    """A value of a suite as a literal. Floats become doubles, as in GX, not Spark's decimals."""
    match value:
        case None:
            text = "NULL"
        case bool() | int():
            text = str(value).lower()
        case float():
            text = f"{value!r}D"
        case dt.datetime():
            text = f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case dt.date():
            text = f"DATE '{value.isoformat()}'"
        case _:
            escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
            text = f"'{escaped}'"
    return text


def member(item: str, values: Iterable[Any]) -> str:
    """`item IN (...)`; an empty list has no members."""
    listed = ", ".join(literal(v) for v in values)
    return f"{item} IN ({listed})" if listed else "false"


def within(item: str, bounds: Mapping[str, Any]) -> str:
    """`item` between GX's min_value and max_value, either of which may be absent."""
    low, high = bounds.get("min_value"), bounds.get("max_value")
    parts = []
    if low is not None:
        parts.append(f"{item} {'>' if bounds.get('strict_min') else '>='} {literal(low)}")
    if high is not None:
        parts.append(f"{item} {'<' if bounds.get('strict_max') else '<='} {literal(high)}")
    return " AND ".join(parts) or "true"


def all_of(predicates: Iterable[str | None]) -> str:
    """The conjunction of those predicates that are not empty."""
    return " AND ".join(f"({p})" for p in predicates if p) or "true"
