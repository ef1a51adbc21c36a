"""The SELECT of each model: plain SQL that reads what is declared and makes what the header promises."""

import re
from collections.abc import Iterator

from sqlglot import exp

from millrace.check.gold import gold_problems
from millrace.check.graph import offered_inputs
from millrace.check.header import problem_in_sql, promised_columns
from millrace.check.parsed import Parsed
from millrace.check.realtime import realtime_problems
from millrace.check.stream import stream_problems
from millrace.contracts.model import Model, RealtimeModel, StreamModel
from millrace.contracts.problem import Problem, one_of
from millrace.contracts.read import problem_at
from millrace.contracts.sql import outputs_of, tables_of, unknown_columns

_TEMPLATING = re.compile(r"\{\{|\{%|\$\{")


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
        yield from promised_columns(parsed, model, {("order_by",): model.order_by})
        yield from realtime_problems(parsed, model, query)
    elif isinstance(model, StreamModel):
        yield from promised_columns(parsed, model, {("key",): model.key})
        yield from stream_problems(model, query)
    else:
        yield from gold_problems(parsed, model, query)


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
            yield problem_in_sql(model, table, found, one_of(sorted(declared), table.name))
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
        yield problem_in_sql(model, column, f"column '{column.sql()}', which no input has", one_of(known, column.name))


def _outputs(model: Model, query: exp.Query) -> Iterator[Problem]:
    """Every column of the result has a name of its own, since the SELECT is the table's contract."""
    seen: set[str] = set()
    for output in outputs_of(query):
        if output.name == "*":
            yield problem_in_sql(model, output.expression, "'*' in the outer SELECT", "its columns by name")
        elif not output.name:
            found, example = f"{output.expression.sql()} without a name", f"{output.expression.sql()} AS total"
            yield problem_in_sql(model, output.expression, found, "a name for each column", example)
        elif output.name.lower() in seen:
            yield problem_in_sql(model, output.expression, f"column '{output.name}' twice", "each name once")
        seen.add(output.name.lower())
