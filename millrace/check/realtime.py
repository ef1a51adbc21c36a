"""What a real-time model's SELECT may do, given that it sees one inserted block at a time and is merged later."""

from collections.abc import Iterator

from sqlglot import exp

from millrace.check.header import problem_in_sql
from millrace.check.parsed import Parsed
from millrace.contracts.model import RealtimeModel
from millrace.contracts.problem import Problem
from millrace.contracts.read import problem_at
from millrace.contracts.sql import Output, group_keys, outputs_of

_WHOLE_TABLE = {
    exp.Window: "a window function", exp.Having: "HAVING", exp.Limit: "LIMIT", exp.Order: "ORDER BY",
    exp.SetOperation: "a set operation",
}  # fmt: skip
_STATES = "an aggregate state, which later rows can still be merged into"
_EXAMPLE = "sumSimpleState(1) AS event_count, or uniqState(user_id) AS users"


def realtime_problems(parsed: Parsed, model: RealtimeModel, query: exp.Query) -> Iterator[Problem]:
    yield from _whole_table(model, query)
    keys = group_keys(query)
    if keys is None:
        yield from _without_group(parsed, model)
        return
    outputs = outputs_of(query)
    for output in outputs:
        if output.name not in keys and not _is_state(output.expression):
            found = f"'{output.name}', neither a GROUP BY key nor an aggregate state"
            yield problem_in_sql(model, output.expression, found, _STATES, _EXAMPLE)
    yield from _lost_keys(model, [output for output in outputs if output.name in keys])


def _whole_table(model: RealtimeModel, query: exp.Query) -> Iterator[Problem]:
    for kind, name in _WHOLE_TABLE.items():
        for node in query.find_all(kind):
            found = f"{name}, which would see one inserted block and not the table"
            yield problem_in_sql(
                model, node, found, "plain rows and aggregate states; what needs more is a stream or gold model"
            )


def _without_group(parsed: Parsed, model: RealtimeModel) -> Iterator[Problem]:
    """Rows with equal order_by are merged into one, so single rows need the event's id in it."""
    source = next((s for s in parsed.catalog.sources if s.name in model.inputs), None)
    if source and source.event.id not in model.order_by:
        found = "no GROUP BY, and order_by without the event's id"
        expected = f"a GROUP BY, or '{source.event.id}' in order_by to keep each row"
        yield problem_at(model, ("order_by",), found, expected)


def _is_state(expression: exp.Expr) -> bool:
    """True for `sumSimpleState(...)`, `uniqState(...)` and their kin, and for constants."""
    if isinstance(expression, exp.Literal | exp.Boolean | exp.Null):
        return True
    return isinstance(expression, exp.Func) and "State" in str(expression.this)


def _lost_keys(model: RealtimeModel, keys: list[Output]) -> Iterator[Problem]:
    """A key outside order_by would be merged away, unless it follows from columns that are in order_by."""
    kept = set(model.order_by)
    for key in keys:
        columns = {column.name for column in key.expression.find_all(exp.Column)}
        if key.name not in kept and not columns <= kept:
            found = f"GROUP BY key '{key.name}' outside order_by, so that its rows would be merged into one"
            yield problem_at(model, ("order_by",), found, f"'{key.name}' in order_by")
