"""Which SQL computes which GX metric: pure text, so that all rules of a suite fit into one aggregate.

GX judges a rule from named metrics, e.g. `column_values.between.unexpected_count`; a metric has a domain (columns,
row condition) and values (bounds, sets). What is not listed here, GX computes itself: correct, but a pass each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spark_jobs.gates.sql_text import all_of, literal, member, quote, within

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """One of GX's metrics, without GX."""

    name: str
    domain: Values
    values: Values

    @property
    def family(self) -> str:
        """`column_values.between` of `column_values.between.unexpected_count`."""
        return self.name.rpartition(".")[0]

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def columns(self) -> tuple[str, ...]:
        named = (self.domain.get(key) for key in ("column", "column_A", "column_B"))
        return tuple(c for c in named if c) or tuple(self.domain.get("column_list") or ())


ROW_RULES: dict[str, Callable[[str, Values], str]] = {
    "column_values.null": lambda c, v: f"{c} IS NULL",
    "column_values.in_set": lambda c, v: member(c, v["value_set"]) if v["value_set"] is not None else "true",
    "column_values.not_in_set": lambda c, v: f"NOT ({member(c, v['value_set'])})",
    "column_values.between": within,
    "column_values.match_regex": lambda c, v: f"{c} RLIKE {literal(v['regex'])}",
    "column_values.not_match_regex": lambda c, v: f"NOT ({c} RLIKE {literal(v['regex'])})",
    "column_values.value_length.between": lambda c, v: within(f"length({c})", v),
    "column_values.value_length.equals": lambda c, v: f"length({c}) = {literal(v['value'])}",
}
"""Metric family to the condition that a good value of the column fulfils."""

PAIR_RULES: dict[str, Callable[[str, str, Values], str]] = {
    "column_pair_values.equal": lambda a, b, v: f"{a} <=> {b}",
    "column_pair_values.a_greater_than_b": lambda a, b, v: f"{a} {'>=' if v.get('or_equal') else '>'} {b}",
}

UNIQUE = ("column_values.unique", "compound_columns.unique")

AGGREGATES: dict[str, str] = {
    "column.max": "max({c})",
    "column.min": "min({c})",
    "column.mean": "avg({c})",
    "column.sum": "sum(double({c}))",
    "column.standard_deviation": "stddev_samp({c})",
    "column.non_null_count": "count({c})",
}

_IGNORE = {
    "both_values_are_missing": ("AND", "IS NULL"),
    "either_value_is_missing": ("OR", "IS NULL"),
    "all_values_are_missing": ("AND", "IS NULL"),
    "any_value_is_missing": ("OR", "IS NULL"),
}


def metric_sql(metric: Metric, relation: str) -> str | None:
    """The expression that yields `metric` in a `SELECT ... FROM relation`, or None where GX must compute it."""
    if not _readable(metric):
        return None
    if metric.kind == "unexpected_count":
        return _unexpected_count(metric, relation)
    if metric.kind == "filtered_row_count":
        return _count(all_of([row_filter(metric), _kept(metric)]))
    if metric.name in AGGREGATES:
        condition = row_filter(metric)
        aggregate = AGGREGATES[metric.name].format(c=quote(metric.columns[0]))
        return f"{aggregate} FILTER (WHERE {condition})" if condition else aggregate
    return {
        "table.row_count": lambda: _count(row_filter(metric)),
        "column.distinct_values.count": lambda: _distinct(metric, relation),
    }.get(metric.name, lambda: None)()


def uniqueness_looks(metric: Metric, relation: str) -> tuple[str, ...]:
    """Cheaper looks at a uniqueness rule, the cheapest first; 0 from one of them proves that the rule holds.

    Both compare hashes of eight bytes instead of the keys. The first gathers them, up to a number above which it gives
    up and says -1; the second groups the rows by them.
    """
    if metric.family not in UNIQUE or metric.kind != "unexpected_count" or not _readable(metric):
        return ()
    key, counted = f"xxhash64({_keys(metric)})", _counted(metric)
    gathered = f"(SELECT coalesce(size(repeated_hashes({key}) FILTER (WHERE {counted})), -1) FROM {relation})"
    hashed = f"SELECT count(*) AS n FROM {relation} WHERE {counted} GROUP BY {key}"
    return gathered, f"(SELECT coalesce(sum(n), 0) FROM ({hashed} HAVING count(*) > 1))"


def broken_rows(metric: Metric) -> str | None:
    """The predicate of the rows that break the rule behind `metric`; as in GX, null breaks only a not-null rule."""
    columns = [quote(c) for c in metric.columns]
    if metric.family == "column_values.nonnull":
        broken = f"{columns[0]} IS NULL"
    elif metric.family in ROW_RULES:
        broken = f"{columns[0]} IS NOT NULL AND NOT ({ROW_RULES[metric.family](columns[0], metric.values)})"
    elif metric.family in PAIR_RULES:
        rule = PAIR_RULES[metric.family](columns[0], columns[1], metric.values)
        broken = all_of([_kept(metric), f"NOT ({rule})"])
    else:
        return None
    return all_of([row_filter(metric), broken])


def sample_sql(metric: Metric, relation: str, shown: str, limit: int) -> str | None:
    """A query for a few rows (or groups, where keys repeat) that break the rule; `shown` makes one text of each."""
    if not _readable(metric):
        return None
    if metric.family in UNIQUE:
        return f"{_duplicates(shown, metric, relation)} LIMIT {limit}"
    broken = broken_rows(metric)
    return f"SELECT {shown} FROM {relation} WHERE {broken} LIMIT {limit}" if broken else None


def row_filter(metric: Metric) -> str | None:
    """The suite's `row_condition`, which is Spark SQL when `condition_parser` is `spark`."""
    condition = metric.domain.get("row_condition")
    return str(condition["pass_through_filter"]) if condition else None


def _readable(metric: Metric) -> bool:
    """Whether the row condition, if any, is plain SQL, and the rule for ignoring rows is one we know."""
    condition = metric.domain.get("row_condition")
    ignore = metric.domain.get("ignore_row_if")
    plain = not condition or (isinstance(condition, dict) and condition.get("type") == "pass_through")
    return plain and ignore in (None, "neither", "never", *_IGNORE)


def _kept(metric: Metric) -> str | None:
    """The rows of a pair or compound rule that GX does not ignore for their nulls."""
    if metric.domain.get("ignore_row_if") not in _IGNORE:
        return None
    joint, test = _IGNORE[metric.domain["ignore_row_if"]]
    return "NOT (" + f" {joint} ".join(f"{quote(c)} {test}" for c in metric.columns) + ")"


def _unexpected_count(metric: Metric, relation: str) -> str | None:
    if metric.family in UNIQUE:
        return f"(SELECT coalesce(sum(n), 0) FROM ({_duplicates('count(*) AS n', metric, relation)}))"
    broken = broken_rows(metric)
    return _count(broken) if broken else None


def _count(condition: str | None) -> str:
    return f"count_if({condition})" if condition and condition != "true" else "count(*)"


def _distinct(metric: Metric, relation: str) -> str:
    # A subquery, because one DISTINCT inside the aggregate makes Spark expand every row for each of them.
    condition = all_of([row_filter(metric)])
    return f"(SELECT count(DISTINCT {quote(metric.columns[0])}) FROM {relation} WHERE {condition})"


def _duplicates(shown: str, metric: Metric, relation: str) -> str:
    return f"SELECT {shown} FROM {relation} WHERE {_counted(metric)} GROUP BY {_keys(metric)} HAVING count(*) > 1"


def _keys(metric: Metric) -> str:
    return ", ".join(quote(c) for c in metric.columns)


def _counted(metric: Metric) -> str:
    """The rows that a uniqueness rule is about."""
    single = f"{_keys(metric)} IS NOT NULL" if metric.family == "column_values.unique" else None
    return all_of([row_filter(metric), single, _kept(metric)])
