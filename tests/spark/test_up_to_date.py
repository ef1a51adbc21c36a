"""Gold is made once of what several intervals brought: the others find it made, and nothing is missed by that."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from spark_jobs.gold import publish_gold, stage_gold
from spark_jobs.settled import settled_models
from spark_jobs.silver import publish_silver, stage_silver
from tests.spark.tiny_lake import SOURCE, TinyLake, event

BASE = ("user_days", "dim_users", "kpi_conversion_rate")
YESTERDAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made(lake: TinyLake, run_id: str, hour: int, *models: str) -> set[str]:
    """The models that a run of one hour had to make; silver must be there."""
    run = lake.run(hour, hour + 1, run_id)
    staged = set()
    for model in models:
        if not stage_gold(run, model).nothing_to_do:
            staged.add(model)
            publish_gold(run, model)
    return staged


@pytest.fixture
def day(lake: TinyLake) -> TinyLake:
    """Two hours of a day in silver, and gold that the run of the first has made."""
    lake.land(event(0, 0), event(1, 61, user_id=2, event_type="purchase"))
    lake.refine(0, 2, run_id="silver")
    assert made(lake, "first", 0, *BASE) == set(BASE)
    return lake


def changed(lake: TinyLake, model: str, **update: str) -> TinyLake:
    """The same lake, with a model that says something else."""
    models = tuple(m.model_copy(update=update) if m.name == model else m for m in lake.catalog.models)
    return replace(lake, catalog=lake.catalog.model_copy(update={"models": models}))


def test_the_second_hour_of_a_day_finds_gold_made(day: TinyLake):
    before = {model: day.rows("gold", model) for model in BASE}
    assert [row["total_events"] for row in before["kpi_conversion_rate"]] == [2]
    assert made(day, "second", 1, *BASE) == set()
    for model in BASE:
        publish_gold(day.run(1, 2, "second"), model)
    assert {model: day.rows("gold", model) for model in BASE} == before


def test_more_rows_in_silver_make_all_of_it_again(day: TinyLake):
    day.land(event(2, 121, user_id=3))
    day.refine(2, 3, run_id="silver 2")
    assert made(day, "third", 2, *BASE) == set(BASE)
    assert len(day.rows("gold", "dim_users")) == 3
    assert made(day, "second", 1, *BASE) == set()


def test_another_day_is_no_excuse(day: TinyLake):
    day.land(event(2, 121, user_id=1, timestamp=YESTERDAY))
    day.refine(2, 3, run_id="silver 2")
    assert made(day, "days", 2, "user_days") == {"user_days"}
    made(day, "first again", 0, "dim_users")
    assert made(day, "third", 2, "dim_users") == {"dim_users"}
    assert {row["total_events"] for row in day.rows("gold", "dim_users")} == {1, 2}


@pytest.mark.parametrize("model", ["dim_users", "kpi_conversion_rate"])
def test_a_table_that_is_not_as_it_was_left_is_made_again(day: TinyLake, model: str):
    before = day.rows("gold", model, "updated_at")
    day.spark.sql(f"DELETE FROM delta.`{day.path('gold', model)}`")
    assert made(day, "second", 1, model) == {model}
    assert day.rows("gold", model, "updated_at") == before


def test_another_select_makes_it_again(day: TinyLake):
    [sql] = [m.sql for m in day.catalog.gold if m.name == "kpi_conversion_rate"]
    other = changed(day, "kpi_conversion_rate", sql=f"SELECT * FROM ({sql}) WHERE total_events > 100")
    assert made(other, "second", 1, "kpi_conversion_rate") == {"kpi_conversion_rate"}
    assert day.rows("gold", "kpi_conversion_rate") == []


def test_publishing_what_nobody_staged_stages_it(day: TinyLake):
    day.land(event(2, 121, user_id=3))
    day.refine(2, 3, run_id="silver 2")
    publish_gold(day.run(2, 3, "clear publish alone"), "kpi_conversion_rate")
    assert [row["total_events"] for row in day.rows("gold", "kpi_conversion_rate")] == [3]


def test_a_model_that_takes_rows_one_by_one_takes_each_interval(lake: TinyLake):
    lake.land(event(0, 0), event(1, 61))
    for hour in (0, 1):
        run = lake.run(hour, hour + 1, f"hour {hour}")
        stage_silver(run, SOURCE)
        publish_silver(run, SOURCE)
    assert [made(lake, f"fact {hour}", hour, "fact_events") for hour in (0, 1)] == [{"fact_events"}] * 2
    assert len(lake.rows("gold", "fact_events")) == 2


def settled(lake: TinyLake, hour: int) -> set[str]:
    """The models, of those that ClickHouse does not serve, that a run of one hour need not make."""
    models = tuple(m.model_copy(update={"serve": None}) for m in lake.catalog.models)
    alone = replace(lake, catalog=lake.catalog.model_copy(update={"models": models}))
    return set(settled_models(alone.run(hour, hour + 1, "look"), SOURCE).models)


def test_what_is_made_is_settled_for_the_hours_beside_it(day: TinyLake):
    assert settled(day, 1) == set(BASE)
    day.land(event(2, 121, user_id=3))
    day.refine(2, 3, run_id="silver 2")
    assert settled(day, 1) == set()
    assert made(day, "third", 2, "user_days") == {"user_days"}
    assert settled(day, 1) == {"user_days"}, "what is read from it, and what is read beside it, is still to be made"


def test_an_hour_without_events_leaves_everything_settled(day: TinyLake):
    assert settled(day, 5) == set(BASE), "the others have no table yet"
