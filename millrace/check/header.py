"""What a model's header promises about its SELECT, and where in the file a part of the SELECT stands."""

from collections.abc import Iterator

from sqlglot import exp

from millrace.check.parsed import Parsed
from millrace.contracts.explain import Loc
from millrace.contracts.model import Model
from millrace.contracts.problem import Problem, one_of
from millrace.contracts.read import problem_at
from millrace.contracts.sql import line_in


def promised_columns(parsed: Parsed, model: Model, promises: dict[Loc, tuple[str, ...]]) -> Iterator[Problem]:
    """Columns that the header names are columns that the SELECT makes."""
    made = parsed.made_by(model)
    for loc, columns in promises.items():
        for column in columns:
            if made is not None and column not in made:
                found = f"{'.'.join(map(str, loc))} column '{column}', which the SELECT does not make"
                yield problem_at(model, loc, found, one_of(made, column))


def problem_in_sql(model: Model, node: exp.Expr, found: str, expected: str, example: str = "") -> Problem:
    """A problem at the line of the model's file on which a part of its SELECT begins."""
    return Problem(model.path, model.sql_line + line_in(node) - 1, found, expected, example)
