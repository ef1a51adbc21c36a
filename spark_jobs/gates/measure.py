"""Measures the candidate rows: one aggregate for all rules that compile, and GX itself for those that do not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from great_expectations.util import convert_to_json_serializable
from great_expectations.validator.metric_configuration import MetricConfigurationID as MetricId
from pyspark.sql import DataFrame

from millrace.errors import ConfigError, MillraceError
from spark_jobs.gates.metrics import UNIQUE, Metric, metric_sql, sample_sql, uniqueness_looks
from spark_jobs.gates.sql_text import literal, quote
from spark_jobs.gates.suite import Rule

ROWS = "candidate_rows"
SAMPLES = 5
SAMPLE_LENGTH = 300
MASKED = "(masked)"


@dataclass(frozen=True)
class Plan:
    """The expressions of one aggregate, by the metric that each computes."""

    expressions: dict[MetricId, str]
    relation: str
    looks: dict[MetricId, tuple[str, ...]] = field(default_factory=dict)
    """Cheaper expressions for some of them, the cheapest first: 0 from one says that the metric is 0."""

    @property
    def sql(self) -> str:
        numbered = [f"{sql} AS m{number}" for number, sql in enumerate(self.expressions.values())]
        return f"SELECT {', '.join(['count(*) AS ' + ROWS, *numbered])} FROM {self.relation}"


@contextmanager
def named(df: DataFrame) -> Iterator[str]:
    """Give the candidate rows a name for SQL, for a while."""
    relation = f"candidates_{uuid4().hex[:12]}"
    df.createOrReplaceTempView(relation)
    try:
        yield relation
    finally:
        df.sparkSession.catalog.dropTempView(relation)


def plan(rules: Sequence[Rule], relation: str) -> Plan:
    """Compile each rule of which every metric is SQL; a metric that several rules share is computed once."""
    expressions: dict[MetricId, str] = {}
    looks: dict[MetricId, tuple[str, ...]] = {}
    for rule in rules:
        compiled = {i: metric_sql(m, relation) for i, m in rule.metrics.items() if not _given(m)}
        if all(compiled.values()):
            expressions |= {i: sql for i, sql in compiled.items() if sql}
            looks |= {i: found for i in compiled if (found := uniqueness_looks(rule.metrics[i], relation))}
    return Plan(expressions, relation, looks)


def measure(df: DataFrame, aggregate: Plan) -> tuple[int, dict[MetricId, Any]]:
    """Run the aggregate; the number of rows, and the metrics as GX would hand them on.

    Where hashes of keys repeat, which equal and, once in a while, other keys do, the keys themselves are looked at.
    """
    chains = {i: (*looks, aggregate.expressions[i]) for i, looks in aggregate.looks.items()}
    first = {i: chain[0] for i, chain in chains.items()}
    rows, values = _run(df, Plan(aggregate.expressions | first, aggregate.relation))
    for look in range(1, max(map(len, chains.values()), default=1)):
        doubtful = {i: chain[look] for i, chain in chains.items() if values[i] and look < len(chain)}
        values |= _run(df, Plan(doubtful, aggregate.relation))[1] if doubtful else {}
    return rows, values


def _run(df: DataFrame, aggregate: Plan) -> tuple[int, dict[MetricId, Any]]:
    row = df.sparkSession.sql(aggregate.sql).collect()[0]
    values = [convert_to_json_serializable(v) for v in row]
    return int(row[0]), dict(zip(aggregate.expressions, values[1:], strict=True))


def is_compiled(rule: Rule, aggregate: Plan) -> bool:
    return all(_given(m) or i in aggregate.expressions for i, m in rule.metrics.items())


def given_values(rule: Rule, columns: Sequence[str], samples: Sequence[str] = ()) -> dict[MetricId, Any]:
    """The metrics that cost no query: the column names, and the failing values, which are our samples."""
    return {i: list(columns) if m.name == "table.columns" else list(samples) for i, m in _givens(rule)}


def measure_plainly(df: DataFrame, rules: Sequence[Rule]) -> dict[MetricId, Any]:
    """Let GX compute what does not compile, a pass or more each; raises when it could not."""
    from great_expectations.exceptions.exceptions import MetricProviderError
    from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    wanted = [m for rule in rules for m in rule.needs if not _given(rule.metrics[m.id])]
    engine = SparkDFExecutionEngine(spark=df.sparkSession, persist=False, batch_data_dict={"candidates": df})
    try:
        values, aborted = MetricsCalculator(engine, show_progress_bars=False).compute_metrics(wanted)
    except MetricProviderError as error:
        raise ConfigError(f"GX has no way to judge this on Spark: {error}; write the rule differently") from error
    if aborted:
        # GX would call this a broken rule, but it may as well be a broken connection.
        reasons = {f"{metric[0]}: {_first_line(info)}" for metric, info in aborted.items()}
        raise MillraceError("GX could not compute " + "; ".join(sorted(reasons)))
    return dict(values)


def sample(
    df: DataFrame, rules: Mapping[int, Rule], show: Sequence[str], mask: frozenset[str], relation: str
) -> dict[int, tuple[str, ...]]:
    """A few failing rows for each of these rules, in one query; masked columns never leave Spark."""
    queries = []
    for number, rule in rules.items():
        metric = next((m for m in rule.metrics.values() if m.kind == "unexpected_values"), None)
        sql = metric and sample_sql(metric, relation, f"{number} AS rule, {_shown(metric, show, mask)}", SAMPLES)
        queries += [f"({sql})"] if sql else []
    rows = df.sparkSession.sql(" UNION ALL ".join(queries)).collect() if queries else []
    return {number: tuple(r["sample"] for r in rows if r["rule"] == number) for number in rules}


def _shown(metric: Metric, show: Sequence[str], mask: frozenset[str]) -> str:
    """One text of a failing row: the columns of the rule, and those that tell where the row came from."""
    columns = dict.fromkeys(metric.columns if metric.family in UNIQUE else [*metric.columns, *show])
    cells = [f"{literal(c)}, {_masked(c) if c in mask else quote(c)}" for c in columns]
    cells += ["'rows', count(*)"] if metric.family in UNIQUE else []
    text = f"to_json(named_struct({', '.join(cells)}), map('ignoreNullFields', 'false'))"
    return f"left({text}, {SAMPLE_LENGTH}) AS sample"


def _masked(column: str) -> str:
    return f"if({quote(column)} IS NULL, NULL, {literal(MASKED)})"


def _given(metric: Metric) -> bool:
    return metric.name == "table.columns" or metric.kind == "unexpected_values"


def _givens(rule: Rule) -> Iterator[tuple[MetricId, Metric]]:
    return ((i, m) for i, m in rule.metrics.items() if _given(m))


def _first_line(aborted: Mapping[str, Any]) -> str:
    return str(aborted["exception_info"]["exception_message"]).split("\n", 1)[0]
