"""What a gate found: frozen values, and the words in which a failure is told."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from millrace.errors import DataError

CRITICAL = "critical"
_SEVERITIES = ("info", "warning", CRITICAL)


class GateFailed(DataError):
    """A critical rule broke on the candidate rows, so they were not published."""


@dataclass(frozen=True)
class RuleResult:
    """The verdict on one expectation of a suite."""

    rule: str
    """The expectation's type, e.g. `expect_column_values_to_be_in_set`."""
    columns: tuple[str, ...]
    expected: str
    """What the rule asks for, as JSON, e.g. `{"value_set": ["web"]}`."""
    severity: str
    success: bool
    unexpected: int | None = None
    """Rows that broke the rule; None where the rule is about the table or an aggregate."""
    observed: str = ""
    """The aggregate that GX saw, or why the rule could not hold."""
    samples: tuple[str, ...] = ()
    """A few failing rows, as JSON of the columns concerned, without personal data."""


@dataclass(frozen=True)
class GateResult:
    """The verdict of one suite on one set of candidate rows."""

    gate_id: str
    layer: str
    table: str
    interval_key: str
    run_id: str
    ran_at: datetime
    rows: int
    rules: tuple[RuleResult, ...] = field(default=(), repr=False)

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that failed, the gravest first."""
        failed = [r for r in self.rules if not r.success]
        return tuple(sorted(failed, key=lambda r: -_SEVERITIES.index(r.severity)))

    @property
    def severity(self) -> str | None:
        """Of the gravest broken rule; None when all hold."""
        return self.broken[0].severity if self.broken else None

    @property
    def success(self) -> bool:
        """Whether the rows may be published; warnings do not block."""
        return self.severity != CRITICAL


def sentence(rule: RuleResult, rows: int) -> str:
    """One line on a broken rule: where, which, for how many rows, and a sample."""
    where = ", ".join(rule.columns) or "table"
    count = "" if rule.unexpected is None else f" for {rule.unexpected:,} of {rows:,} rows"
    seen = f"; found {rule.observed}" if rule.observed else ""
    sample = f"; e.g. {'; '.join(rule.samples[:3])}" if rule.samples else ""
    return f"[{rule.severity}] {where}: {rule.rule} {rule.expected} broke{count}{seen}{sample}"


def failure_message(result: GateResult, suite_path: Path, page: Path | None) -> str:
    """Which rules broke, where to look, and what to do next."""
    critical = sum(r.severity == CRITICAL for r in result.broken)
    table = f"{result.layer}.{result.table}"
    head = f"gate {result.gate_id}: {critical} of {len(result.rules)} rules broke critically"
    docs = [f"  Data Docs:  {page.as_uri()}"] if page else []
    lines = [
        f"{head} on {result.rows:,} candidate rows of {table}; none of them was published",
        *(f"  {sentence(rule, result.rows)}" for rule in result.broken),
        "Where to look:",
        *docs,
        f"  ClickHouse: SELECT * FROM ops.gate_results WHERE gate_id = '{result.gate_id}'",
        f"Next: put right what sent these rows, or the rule in {suite_path} where the rule is wrong;",
        "  then clear this task in Airflow: running an interval again is safe.",
    ]
    return "\n".join(lines)
