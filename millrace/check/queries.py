"""The SELECT of each model: plain SQL that reads what is declared and makes what the header promises."""

import re
from collections.abc import Iterator

from sqlglot import exp

from millrace.check.graph import offered_inputs
from millrace.check.parsed import Parsed
from millrace.check.realtime import realtime_problems
from millrace.contracts.explain import Loc
from millrace.contracts.model import GoldModel, Model, RealtimeModel, StreamModel
from millrace.contracts.problem import Problem, one_of
from millrace.contracts.read import problem_at
from millrace.contracts.sql import line_in, outputs_of, tables_of, unknown_columns

_TEMPLATING = re.compile(r"\{\{|\{%|\$\{")
_CLOCK_AND_CHANCE = {
    "current_timestamp", "current_date", "localtimestamp", "now", "curdate", "unix_timestamp",
    "rand", "randn", "random", "uuid", "shuffle", "monotonically_increasing_id",
}  # fmt: skip


def query_problems(parsed: Parsed) -> Iterator[Problem]:
    for model in parsed.catalog.models:
        yield from _templating(model)
        query = parsed.query(model)
        if query:
            yield from _query(parsed, model, query)


def _query(parsed: Parsed, model: Model, query: exp.Query) -> Iterator[Problem]:
    if set(model.inputs) <= offered_inputs(parsed.catalog, model):
        yield from _tables(model, query)
    yield from _columns(parsed, model, query)
    yield from _outputs(model, query)
    if isinstance(model, RealtimeModel):
        yield from _promised(parsed, model, {("order_by",): model.order_by})
        yield from realtime_problems(parsed, model, query)
    elif isinstance(model, StreamModel):
        yield from _promised(parsed, model, {("key",): model.key})
    else:
        yield from _gold(parsed, model, query)


def _templating(model: Model) -> Iterator[Problem]:
    for number, line in enumerate(model.sql.splitlines()):
        if match := _TEMPLATING.search(line):
            found = f"templating '{match[0]}'"
            yield Problem(model.path, model.sql_line + number, found, "plain SQL; the engine narrows the inputs")


def _tables(model: Model, query: exp.Query) -> Iterator[Problem]:
    """The tables read are the declared inputs, bare, all of them."""
    declared = {reference.rpartition(".")[2] for reference in model.inputs}
    read = set()
    for table in tables_of(query):
        read.add(table.name)
        if table.name not in declared or table.db:
            shown = table.sql()
            found = f"table {shown}, which is no declared input by its bare name"
            yield _in_sql(model, table, found, one_of(sorted(declared), table.name))
    for number, reference in enumerate(model.inputs):
        if reference.rpartition(".")[2] not in read:
            found = f"input '{reference}', which the SELECT does not read"
            yield problem_at(model, ("inputs", number), found, "only inputs that are read")


def _columns(parsed: Parsed, model: Model, query: exp.Query) -> Iterator[Problem]:
    offered = [parsed.input_columns(model, reference) for reference in model.inputs]
    known = [name for columns in offered for name in columns or ()]
    if None in offered:
        return
    for column in unknown_columns(query, {name.lower() for name in known}):
        yield _in_sql(model, column, f"column '{column.sql()}', which no input has", one_of(known, column.name))


def _outputs(model: Model, query: exp.Query) -> Iterator[Problem]:
    """Every column of the result has a name of its own, since the SELECT is the table's contract."""
    seen: set[str] = set()
    for output in outputs_of(query):
        if output.name == "*":
            yield _in_sql(model, output.expression, "'*' in the outer SELECT", "its columns by name")
        elif not output.name:
            found, example = f"{output.expression.sql()} without a name", f"{output.expression.sql()} AS total"
            yield _in_sql(model, output.expression, found, "a name for each column", example)
        elif output.name.lower() in seen:
            yield _in_sql(model, output.expression, f"column '{output.name}' twice", "each name once")
        seen.add(output.name.lower())


def _promised(parsed: Parsed, model: Model, promises: dict[Loc, tuple[str, ...]]) -> Iterator[Problem]:
    """Columns that the header names are columns that the SELECT makes."""
    made = parsed.made_by(model)
    for loc, columns in promises.items():
        for column in columns:
            if made is not None and column not in made:
                found = f"{'.'.join(map(str, loc))} column '{column}', which the SELECT does not make"
                yield problem_at(model, loc, found, one_of(made, column))


def _gold(parsed: Parsed, model: GoldModel, query: exp.Query) -> Iterator[Problem]:
    promises: dict[Loc, tuple[str, ...]] = {("key",): model.key, ("insert_key",): model.insert_key}
    promises[("partition",)] = (model.partition,) if model.partition else ()
    promises[("serve", "order_by")] = model.serve.order_by if model.serve else ()
    yield from _promised(parsed, model, promises)
    for output in outputs_of(query):
        if model.serve and output.name == "updated_at":
            found = "a column 'updated_at'"
            yield _in_sql(model, output.expression, found, "another name; publishing to ClickHouse adds this one")
    for function in query.find_all(exp.Func):
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        if name.lower() in _CLOCK_AND_CHANCE:
            found = f"{function.sql(dialect='spark')}, which differs from run to run"
            yield _in_sql(model, function, found, "columns of the inputs only, so that a rerun changes nothing")


def _in_sql(model: Model, node: exp.Expr, found: str, expected: str, example: str = "") -> Problem:
    return Problem(model.path, model.sql_line + line_in(node) - 1, found, expected, example)
