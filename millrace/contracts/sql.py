"""Reads the SELECT of a model: the tables it reads, the columns it makes, the columns it names."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from millrace.contracts.avro import Column
from millrace.contracts.model import Model
from millrace.contracts.problem import ContractError, Problem

_DIALECTS = {"realtime": "clickhouse", "stream": "spark", "gold": "spark"}
_GROUP_BY_WINDOW = re.compile(r"(\bGROUP\s+BY\s+)(window)\b", re.IGNORECASE)
_GENERATED = {"window", "session_window", "col", "key", "value", "pos"}
"""Columns that Spark makes without a name being written: by window functions and by generators."""

_INTERNALS = re.compile(r" (but got|for) <.*")
"""The parser's own objects, which end some of its messages."""


@dataclass(frozen=True)
class Output:
    """One column that the SELECT makes: its name and the expression behind it."""

    name: str
    expression: exp.Expr
    line: int


def parse_model(model: Model) -> exp.Query:
    """Parse the model's one SELECT in its dialect; raises ContractError at the line that is wrong."""
    dialect = _DIALECTS[model.kind]
    try:
        statements = sqlglot.parse(_parsable(model.sql, dialect), dialect=dialect)
    except SqlglotError as error:
        line, message = _where(error)
        found = f"SQL that does not parse: {message}"
        raise ContractError([Problem(model.path, model.sql_line + line - 1, found, f"{dialect} SQL")]) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ContractError([Problem(model.path, model.sql_line, "no single SELECT", "one SELECT and nothing else")])
    return statements[0]


def tables_of(query: exp.Query) -> Iterator[exp.Table]:
    """The tables that the query reads from outside, without its own WITH names."""
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if table.db or table.name.lower() not in own:
            yield table


def outputs_of(query: exp.Query) -> tuple[Output, ...]:
    """The columns of the result in order: '*' for a star, '' for an expression that was given no name."""
    return tuple(Output(_name(e), e.unalias(), line_in(e)) for e in query.selects)


def group_keys(query: exp.Query) -> tuple[str, ...] | None:
    """Names of the result's columns that the query groups by, in order; None without GROUP BY.

    A key is given by name, by position, by the same expression, or is whatever GROUP BY ALL leaves.
    """
    group = query.args.get("group")
    if group is None:
        return None
    outputs = outputs_of(query)
    if group.args.get("all"):
        return tuple(output.name for output in outputs if not output.expression.find(exp.AggFunc))
    keys = {text for key in group.expressions for text in (key.sql(), key.name)}
    return tuple(
        output.name
        for position, output in enumerate(outputs, 1)
        if keys & {output.name, str(position), output.expression.sql()}
    )


def unknown_columns(query: exp.Query, known: set[str]) -> Iterator[exp.Column]:
    """Columns named anywhere that neither the inputs (`known`, in lower case) nor the query itself offer."""
    tables = {name.lower() for t in query.find_all(exp.Table) for name in (t.name, t.alias)}
    offered = known | _GENERATED | _own_names(query)
    for column in query.find_all(exp.Column):
        path = [part.name.lower() for part in column.parts]
        if len(path) > 1 and path[0] in tables:
            path = path[1:]
        if path[0] not in offered and path[0] != "*":
            yield column


def columns_read(query: exp.Query, columns: Iterable[Column]) -> tuple[Column, ...]:
    """Those of an input's columns that the query may read: what it names anywhere, or all where it takes a star."""
    taken = any(not isinstance(star.parent, exp.Count) for star in query.find_all(exp.Star))
    named = {identifier.name.lower() for identifier in query.find_all(exp.Identifier)}
    return tuple(column for column in columns if taken or column.name.lower() in named)


def line_in(node: exp.Expr) -> int:
    """The line (from 1) on which a part of a query begins, as far as the parser kept it."""
    return min((n.meta["line"] for n in node.walk() if "line" in n.meta), default=1)


def _name(selected: exp.Expr) -> str:
    if selected.is_star:
        return "*"
    return selected.alias_or_name if isinstance(selected, exp.Alias | exp.Column | exp.Dot) else ""


def _own_names(query: exp.Query) -> set[str]:
    """Aliases of every kind, WITH names and lambda arguments."""
    names = {alias.alias for alias in query.find_all(exp.Alias, exp.CTE)}
    for alias in query.find_all(exp.TableAlias):
        names |= {alias.name, *(column.name for column in alias.columns)}
    for function in query.find_all(exp.Lambda):
        names |= {argument.name for argument in function.expressions}
    return {name.lower() for name in names}


def _parsable(sql: str, dialect: str) -> str:
    """The parser takes `GROUP BY window(...)` for a WINDOW clause; quoting the function's name helps it."""
    return _GROUP_BY_WINDOW.sub(r"\1`\2`", sql) if dialect == "spark" else sql


def _where(error: SqlglotError) -> tuple[int, str]:
    """Line and reason, without the coloured excerpt."""
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        reason = _INTERNALS.sub("", str(first.get("description")))
        return first.get("line") or 1, f"{reason} near '{first.get('highlight')}'"
    return 1, "an open quote or comment"
