"""GX's verdict on each rule of a suite, from metrics that were measured in one go."""

from collections.abc import Mapping, Sequence
from typing import Any

from great_expectations.core import ExpectationValidationResult
from great_expectations.validator.metric_configuration import MetricConfigurationID as MetricId
from pyspark.sql import DataFrame

from spark_jobs.gates.measure import MASKED, given_values, is_compiled, measure, measure_plainly, named, plan, sample
from spark_jobs.gates.result import RuleResult
from spark_jobs.gates.suite import RESULT_FORMAT, Rule

_KEPT = {
    "element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent",
    "unexpected_percent_total", "unexpected_percent_nonmissing", "partial_unexpected_list", "observed_value",
}  # fmt: skip
"""Of what GX puts into a result: counts, our samples, and the observed value; anything else may hold raw rows."""


def judge(
    df: DataFrame, rules: Sequence[Rule], show: Sequence[str], mask: frozenset[str]
) -> tuple[int, list[ExpectationValidationResult]]:
    """Judge the candidate rows; their number, and one verdict for each rule, in order.

    `show` are columns that tell where a row came from; values of the columns in `mask` appear nowhere. With no rows,
    only rules about the table as a whole can break.
    """
    columns = df.columns
    usable = [r for r in rules if not _missing(r, columns)]
    with named(df) as relation:
        aggregate = plan(usable, relation)
        rows, values = measure(df, aggregate)
        plain = [r for r in usable if not is_compiled(r, aggregate) and (rows or r.of_table)]
        values |= measure_plainly(df, plain) if plain else {}
        verdicts = [_verdict(rule, columns, rows, values) for rule in rules]
        failing = {n: r for n, r in enumerate(rules) if r in usable and not verdicts[n].success}
        samples_of = sample(df, failing, show, mask, relation)
        for number, samples in samples_of.items():
            verdicts[number] = _verdict(rules[number], columns, rows, values, samples)
    secret = [bool(mask.intersection(r.columns)) for r in rules]
    return rows, [_only_counts(v, samples_of.get(n, ()), hide=secret[n]) for n, v in enumerate(verdicts)]


def rule_result(rule: Rule, verdict: ExpectationValidationResult) -> RuleResult:
    """The verdict in our own, frozen form."""
    found: Mapping[str, Any] = verdict.result or {}
    observed = found.get("observed_value")
    return RuleResult(
        rule=str(rule.expectation.expectation_type),
        columns=rule.columns,
        expected=rule.expected,
        severity=rule.severity,
        success=bool(verdict.success),
        unexpected=found.get("unexpected_count"),
        observed="" if observed is None else str(observed),
        samples=tuple(found.get("partial_unexpected_list") or ()),
    )


def _verdict(
    rule: Rule, columns: Sequence[str], rows: int, values: Mapping[MetricId, Any], samples: Sequence[str] = ()
) -> ExpectationValidationResult:
    if missing := _missing(rule, columns):
        return _fixed(rule, False, {"missing_columns": missing})
    if not rows and not rule.of_table:
        return _fixed(rule, True, {"element_count": 0, "unexpected_count": 0, "unexpected_percent": 0.0})
    metrics = {**values, **given_values(rule, columns, samples)}
    return rule.expectation.metrics_validate(metrics=metrics, runtime_configuration={"result_format": RESULT_FORMAT})


def _fixed(rule: Rule, success: bool, found: dict[str, Any]) -> ExpectationValidationResult:
    return ExpectationValidationResult(success=success, expectation_config=rule.expectation.configuration, result=found)


def _missing(rule: Rule, columns: Sequence[str]) -> list[str]:
    return [c for c in rule.columns if c not in columns]


def _only_counts(
    verdict: ExpectationValidationResult, samples: Sequence[str], hide: bool
) -> ExpectationValidationResult:
    """Drop what may hold raw rows; with `hide`, also the values that GX itself has seen."""
    raw = verdict.result or {}
    found = {k: v for k, v in raw.items() if k in _KEPT}
    if hide:
        masked = {"observed_value": MASKED, "partial_unexpected_list": list(samples)}
        found |= {k: v for k, v in masked.items() if k in found}
    if missing := raw.get("missing_columns"):
        found["observed_value"] = f"no column {', '.join(missing)}"
    verdict.result = found
    return verdict
