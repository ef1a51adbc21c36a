"""Writes what a gate found to ClickHouse, one row per rule."""

import logging
from typing import Any

from millrace.names import OPS
from millrace.settings import Settings
from spark_jobs.gates.result import GateResult

log = logging.getLogger(__name__)

TABLE = "gate_results"
COLUMNS = (
    "gate_id", "layer", "table", "interval", "run_id", "rule_number", "rule", "column", "expected", "severity",
    "success", "unexpected_count", "element_count", "observed", "sample", "ran_at",
)  # fmt: skip


def record(result: GateResult, settings: Settings) -> None:
    """Insert the results. When ClickHouse does not answer, say so and go on: the verdict stands without it."""
    from millrace.clickhouse.client import connect

    try:
        with connect(settings, OPS) as client:
            client.insert(TABLE, rows_of(result), column_names=COLUMNS)
    except Exception as error:  # noqa: BLE001  any failure to report is less than the verdict
        log.warning("gate %s: its results could not be written to ClickHouse: %s", result.gate_id, error)


def rows_of(result: GateResult) -> list[list[Any]]:
    """One row per rule, in the order of COLUMNS."""
    who = [result.gate_id, result.layer, result.table, result.interval_key, result.run_id]
    return [
        [
            *who, number, r.rule, ", ".join(r.columns), r.expected, r.severity,
            r.success, r.unexpected, result.rows, r.observed, list(r.samples), result.ran_at,
        ]
        for number, r in enumerate(result.rules)
    ]  # fmt: skip
