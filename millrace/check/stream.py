"""What a stream model's SELECT may do, given that its rows never end."""

from collections.abc import Iterator

from sqlglot import exp

from millrace.check.header import problem_in_sql
from millrace.contracts.columns import EVENT_TIME
from millrace.contracts.model import StreamModel
from millrace.contracts.problem import Problem

_ENDLESS = {exp.Window: "a window function", exp.Order: "ORDER BY", exp.Limit: "LIMIT"}
_WINDOWS = {"window", "session_window"}
_EXAMPLE = f"GROUP BY window({EVENT_TIME.name}, '5 minutes')"


def stream_problems(model: StreamModel, query: exp.Query) -> Iterator[Problem]:
    for kind, name in _ENDLESS.items():
        for node in query.find_all(kind):
            found = f"{name}, which would wait for the last row of a stream"
            yield problem_in_sql(model, node, found, "a SELECT over time windows", _EXAMPLE)
    for group in query.find_all(exp.Group):
        if not _ends(group, query):
            yield problem_in_sql(
                model, group, "a GROUP BY without a time window, whose state never ends", "one", _EXAMPLE
            )


def _ends(group: exp.Group, query: exp.Query) -> bool:
    """Whether the watermark can close a group: it has a window, or the event's time itself."""
    windowed = {alias.alias for alias in query.find_all(exp.Alias) if _has_window(alias)}
    keys = {column.name for column in group.find_all(exp.Column)}
    return _has_window(group) or bool(keys & {*windowed, *_WINDOWS, EVENT_TIME.name})


def _has_window(node: exp.Expr) -> bool:
    return any(function.name.lower() in _WINDOWS for function in node.find_all(exp.Anonymous))
