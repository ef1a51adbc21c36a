"""Suites in GX's own JSON, read strictly, and the metrics from which GX judges each of their rules."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millrace.errors import ConfigError
from spark_jobs.gates.metrics import Metric

# GX reads these when it is imported.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from great_expectations.core import ExpectationSuite
from great_expectations.exceptions.exceptions import GreatExpectationsError

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID

RESULT_FORMAT = {"result_format": "BASIC"}
"""Counts and a few values; the values come from our samples, never from a query of GX."""
_DOMAIN = {"batch_id", "table", "row_condition", "condition_parser", "strict"}


@dataclass(frozen=True)
class Rule:
    """One expectation and the metrics that it is judged from."""

    expectation: "Expectation"
    needs: tuple["MetricConfiguration", ...]

    @property
    def metrics(self) -> dict["MetricConfigurationID", Metric]:
        return {
            m.id: Metric(m.metric_name, dict(m.metric_domain_kwargs), dict(m.metric_value_kwargs or {}))
            for m in self.needs
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule reads; none for a rule about the table."""
        return tuple(dict.fromkeys(c for m in self.metrics.values() for c in m.columns))

    @property
    def of_table(self) -> bool:
        """Whether the rule is about the table as a whole, so that it also holds or breaks with no rows."""
        return all(m.name.startswith("table.") for m in self.metrics.values())

    @property
    def severity(self) -> str:
        return str(self.expectation.severity.value)

    @property
    def expected(self) -> str:
        kwargs: dict[str, Any] = self.expectation.configuration.kwargs
        places = _DOMAIN | {"column", "column_A", "column_B", "column_list"}
        return json.dumps({k: v for k, v in kwargs.items() if k not in places}, default=str)


def read_suite(path: Path) -> ExpectationSuite:
    """Read one suite; raises ConfigError naming the file and every expectation that GX does not accept."""
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"{path}:1: missing; every table has a suite in GX's JSON") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    # GX logs an expectation that it does not accept and goes on without it: a rule must never get lost like that.
    problems = [p for number, one in enumerate(raw.get("expectations", []), 1) if (p := _problem(number, one))]
    if problems or not raw.get("expectations"):
        raise ConfigError("\n".join(f"{path}: {p}" for p in problems or ["no expectations"]))
    return ExpectationSuite(name=raw["name"], expectations=raw["expectations"], meta=raw.get("meta"))


def rules_of(suite: ExpectationSuite) -> tuple[Rule, ...]:
    """The rules of a suite, each with the metrics that GX wants for it."""
    runtime = {"result_format": RESULT_FORMAT}
    return tuple(
        Rule(e, tuple(e.get_validation_dependencies(runtime_configuration=dict(runtime)).get_metric_configurations()))
        for e in suite.expectations
    )


def _problem(number: int, raw: dict[str, Any]) -> str | None:
    try:
        accepted = ExpectationSuite(name="probe", expectations=[raw]).expectations
    except (GreatExpectationsError, ValueError, TypeError, KeyError) as error:
        return f"expectation {number} ({raw.get('type')}): {error}"
    return None if accepted else f"expectation {number} ({raw.get('type')}): GX does not accept it"
