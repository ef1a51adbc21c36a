"""The gate: judges candidate rows by a suite, writes down what it found, and stops them when a critical rule broke."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from millrace.contracts.catalog import catalog
from millrace.settings import Settings
from spark_jobs.gates.record import record
from spark_jobs.gates.result import GateFailed, GateResult, failure_message, sentence

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)


def run_gate(
    df: "DataFrame",
    suite_path: Path,
    *,
    layer: str,
    table: str,
    interval_key: str,
    run_id: str,
    settings: Settings,
    pii: Collection[str] | None = None,
) -> GateResult:
    """Judge exactly the rows of `df`; raises GateFailed when a critical rule breaks, so that nothing is published.

    `pii` names the columns whose values must not appear in results; by default, all that any source declares. What
    was found goes to ClickHouse (`ops.gate_results`) and to a page of Data Docs; neither being unreachable changes
    the verdict.
    """
    # GX takes seconds to import, and DAG files import this module.
    from spark_jobs.gates.data_docs import write_page
    from spark_jobs.gates.judge import judge, rule_result
    from spark_jobs.gates.suite import read_suite, rules_of

    suite = read_suite(suite_path)
    rules = rules_of(suite)
    mask = frozenset(_personal(settings) if pii is None else pii)
    locate = [c for c in (suite.meta or {}).get("locate", ()) if c in df.columns]
    rows, verdicts = judge(df, rules, locate, mask)
    result = GateResult(
        gate_id=f"{layer}.{table}.{interval_key}.{uuid4().hex[:8]}",
        layer=layer,
        table=table,
        interval_key=interval_key,
        run_id=run_id,
        ran_at=datetime.now(UTC),
        rows=rows,
        rules=tuple(rule_result(r, v) for r, v in zip(rules, verdicts, strict=True)),
    )
    page = write_page(result, suite, verdicts, settings)
    record(result, settings)
    return _conclude(result, suite_path, page)


def _conclude(result: GateResult, suite_path: Path, page: Path | None) -> GateResult:
    if not result.success:
        raise GateFailed(failure_message(result, suite_path, page))
    for rule in result.broken:
        log.warning("gate %s: %s", result.gate_id, sentence(rule, result.rows))
    log.info("gate %s passed: %d rules on %d rows", result.gate_id, len(result.rules), result.rows)
    return result


def _personal(settings: Settings) -> set[str]:
    return {column for source in catalog(settings.project_dir).sources for column in source.pii}
