"""A declared fix: one SQL expression that gives the same result whenever it is run, and touches nothing else."""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_CHANGING = {
    "uuid", "rand", "randn", "random", "randstr", "uniform", "shuffle", "now", "current_timestamp", "current_date",
    "current_time", "curdate", "localtimestamp", "unix_timestamp", "monotonically_increasing_id",
    "spark_partition_id", "current_user", "session_user",
}  # fmt: skip
"""Functions whose result differs from run to run: replaying twice would then make two events."""
_REACHING_OUT = {"reflect", "java_method", "try_reflect", "input_file_name", "raise_error", "assert_true", "identifier"}
"""Functions that run foreign code, or look outside the record."""


def fix_problem(fix: str) -> str | None:
    """Why a text cannot be a fix, in words; None when it can."""
    try:
        statements = sqlglot.parse(fix, dialect="spark")
    except SqlglotError:
        return f"the fix is no SQL expression: {fix!r}; expected e.g. regexp_replace(text, 'a', 'b')"
    if len(statements) != 1 or statements[0] is None:
        return f"the fix is {fix!r}; expected one SQL expression"
    return next(_problems(statements[0]), None)


def _problems(expression: exp.Expr) -> Iterator[str]:
    for node in expression.walk():
        if isinstance(node, exp.Query | exp.Table | exp.Command | exp.DDL | exp.DML):
            yield "the fix reads or writes tables; expected an expression over the one record"
        elif isinstance(node, exp.AggFunc | exp.Window | exp.UDTF):
            yield f"the fix looks at several records: {node.sql('spark')}; expected an expression over one"
        elif isinstance(node, exp.Func) and (name := _name(node)) in _CHANGING:
            yield f"the fix uses {name}, whose result differs from run to run; replaying twice would make two events"
        elif isinstance(node, exp.Func) and _name(node) in _REACHING_OUT:
            yield f"the fix uses {_name(node)}, which is not allowed here"


def _name(function: exp.Func) -> str:
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return name.lower()
