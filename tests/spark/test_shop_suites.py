"""The shop's suites: rows of the simulator pass them, each rule compiles, and rows that break a promise do not."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import DataFrame

from millrace.contracts.columns import bronze_columns
from simulators.user_events import SIMULATOR
from spark_jobs.gates import GateFailed, GateResult, run_gate
from spark_jobs.gates.measure import is_compiled, plan
from spark_jobs.gates.suite import read_suite, rules_of
from spark_jobs.transforms.pii import pseudonymise
from spark_jobs.transforms.silver import shape
from tests.spark.tiny_lake import SOURCE, TEN, Row, TinyLake, event

GOLD = (
    "fact_events", "user_days", "page_days", "dim_users", "dim_pages",
    "kpi_dau", "kpi_events_per_source", "kpi_conversion_rate",
)  # fmt: skip
TABLES = (("bronze", SOURCE), ("silver", SOURCE), *(("gold", model) for model in GOLD))


@pytest.fixture(autouse=True)
def _no_clickhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_jobs.gates.run.record", lambda *_: None)


def bronze(lake: TinyLake, rows: list[Row]) -> DataFrame:
    columns = bronze_columns(lake.catalog.source(SOURCE))
    schema = ", ".join(f"`{c.name}` {c.spark_type}" for c in columns)
    return lake.spark.createDataFrame([tuple(row[c.name] for c in columns) for row in rows], schema)


def visits(lake: TinyLake) -> list[Row]:
    instants = (TEN.timestamp() + n for n in range(120))
    events = SIMULATOR.generate(lake.catalog.source(SOURCE), Random(7), instants)
    return [event(n, n / 60, **e.fields) for n, e in enumerate(events)]


def gate(lake: TinyLake, layer: str, table: str, rows: DataFrame) -> GateResult:
    settings = lake.settings.model_copy(update={"state_dir": Path(lake.settings.lake).parent})
    where = {"layer": layer, "table": table, "interval_key": "20260102T10", "run_id": "test"}
    return run_gate(rows, lake.catalog.suite_path(layer, table), **where, settings=settings)


def test_simulated_visitors_pass_every_suite(lake: TinyLake) -> None:
    source = lake.catalog.source(SOURCE)
    raw = bronze(lake, visits(lake))
    silver = pseudonymise(raw, source, b"a key for tests").transform(shape, source, TEN + timedelta(hours=1))
    silver.createOrReplaceTempView(SOURCE)
    results = [gate(lake, "bronze", SOURCE, raw), gate(lake, "silver", SOURCE, silver)]
    for name in GOLD:
        rows = lake.spark.sql(lake.catalog.gold_model(name).sql)
        rows.createOrReplaceTempView(name)
        results.append(gate(lake, "gold", name, rows))
    assert {r.table: r.broken for r in results if r.broken} == {}
    assert [r.rows for r in results[:3]] == [120] * 3
    assert all(r.rows for r in results)


def test_pages_that_are_no_pages_are_stopped_at_bronze(lake: TinyLake) -> None:
    rows = [event(n, n, page="javascript:alert(1)" if n < 5 else "/cart") for n in range(20)]
    with pytest.raises(GateFailed, match=r"page: expect_column_values_to_match_regex .* broke for 5 of 20 rows"):
        gate(lake, "bronze", SOURCE, bronze(lake, rows))


@pytest.mark.parametrize("table", TABLES, ids=".".join)
def test_every_rule_of_a_suite_fits_into_the_one_aggregate(table: tuple[str, str], lake: TinyLake) -> None:
    rules = rules_of(read_suite(lake.catalog.suite_path(*table)))
    aggregate = plan(rules, "candidates")
    assert [r.expected for r in rules if not is_compiled(r, aggregate)] == []
