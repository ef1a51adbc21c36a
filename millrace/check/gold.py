"""What a gold model must tell, so that only what an interval touched is computed, and a rerun changes nothing."""

from collections.abc import Iterator

from sqlglot import exp

from millrace.check.header import problem_in_sql, promised_columns
from millrace.check.parsed import UPDATED_AT, Parsed
from millrace.contracts.explain import Loc
from millrace.contracts.model import GoldModel
from millrace.contracts.problem import Problem
from millrace.contracts.read import problem_at
from millrace.contracts.sql import outputs_of

_CLOCK_AND_CHANCE = {
    "current_timestamp", "current_date", "localtimestamp", "now", "curdate", "unix_timestamp",
    "rand", "randn", "random", "uuid", "shuffle", "monotonically_increasing_id",
}  # fmt: skip


def gold_problems(parsed: Parsed, model: GoldModel, query: exp.Query) -> Iterator[Problem]:
    promises: dict[Loc, tuple[str, ...]] = {("key",): model.key, ("insert_key",): model.insert_key}
    promises[("partition",)] = (model.partition,) if model.partition else ()
    promises[("serve", "order_by")] = model.serve.order_by if model.serve else ()
    yield from list(promised_columns(parsed, model, promises)) or _told_by_an_input(parsed, model)
    yield from _unchanged(model, query)
    yield from _clock_and_chance(model, query)
    for output in outputs_of(query):
        if output.name.lower() == UPDATED_AT:
            yield problem_in_sql(
                model, output.expression, f"a column '{UPDATED_AT}'", "another name; each table has it"
            )


def _unchanged(model: GoldModel, query: exp.Query) -> Iterator[Problem]:
    """The inputs are narrowed by these columns, so they must mean the same before and after the SELECT."""
    narrowing = {model.partition, *model.key}
    for output in outputs_of(query):
        plain = isinstance(output.expression, exp.Column) and output.expression.name == output.name
        if output.name in narrowing and not plain:
            found = f"'{output.expression.sql(dialect='spark')} AS {output.name}' for a column that narrows the inputs"
            yield problem_in_sql(model, output.expression, found, "the input's column as it is", output.name)


def _told_by_an_input(parsed: Parsed, model: GoldModel) -> Iterator[Problem]:
    """Some input says which partitions, or which keys, an interval touched."""
    wanted = set(model.key) if model.key else {model.partition}
    loc, names = ("key" if model.key else "partition"), ", ".join(sorted(map(str, wanted)))
    for reference in model.inputs:
        columns = parsed.input_columns(model, reference)
        if columns is None or (wanted <= set(columns) and _partitioned(parsed, reference)):
            return
    expected = "an input that has it and is itself partitioned: a silver table, or a gold table with 'partition'"
    yield problem_at(model, (loc,), f"{loc} {names}, which no partitioned input has", expected)


def _partitioned(parsed: Parsed, reference: str) -> bool:
    layer, _, table = reference.partition(".")
    return layer == "silver" or any(m.name == table and m.partition for m in parsed.catalog.gold)


def _clock_and_chance(model: GoldModel, query: exp.Query) -> Iterator[Problem]:
    for function in query.find_all(exp.Func):
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        if name.lower() in _CLOCK_AND_CHANCE:
            found = f"{function.sql(dialect='spark')}, which differs from run to run"
            expected = "columns of the inputs only, so that a rerun changes nothing"
            yield problem_in_sql(model, function, found, expected)
