"""A gate of 20 rules beside one aggregate of the same rules, written by hand, and Great Expectations the plain way."""

import json
import os
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from bench.batch import Lab, Timed, lab, refine_silver
from bench.stack import BenchStack
from spark_jobs.gates.run import run_gate

SUITE = Path(__file__).parent / "rivals" / "gate_suite.json"
BY_HAND = Path(__file__).parent / "rivals" / "gate_by_hand.sql"


def gates(stack: BenchStack, rows: int, rounds: int) -> list[Timed]:
    """The three in turn on the same silver rows; the first round is not counted."""
    found: list[Timed] = []
    with lab(stack) as one:
        one.write(0, 1, rows)
        refine_silver(one.run(0, 1))
        df = one.spark.read.format("delta").load(str(one.lake / "silver" / stack.source.name))
        count = df.count()
        for number in range(rounds + 1):
            timed = [
                one.timed("the gate", count, lambda: _gate(one, df)),
                one.timed("one aggregate", count, lambda: _aggregate(df)),
                one.timed("plain GX", count, lambda: _plain(df)),
            ]
            found += timed if number else []
    return found


def _gate(one: Lab, df: DataFrame) -> None:
    run_gate(
        df, SUITE, layer="silver", table="user_events", interval_key="bench", run_id="bench",
        settings=one.run(0, 1).settings, pii=frozenset({"user_id"}),
    )  # fmt: skip


def _aggregate(df: DataFrame) -> None:
    df.createOrReplaceTempView("bench_candidates")
    df.sparkSession.sql(BY_HAND.read_text()).collect()


def _plain(df: DataFrame) -> None:
    """As its documentation shows it: a context, a data frame asset, a batch, a suite, validate."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark("bench").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": df})
    raw = json.loads(SUITE.read_text())
    result = batch.validate(ExpectationSuite(name="bench", expectations=raw["expectations"]))
    if not result.success:
        raise RuntimeError(f"plain GX found: {result}")
