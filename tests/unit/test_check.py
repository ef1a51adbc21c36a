"""`millrace check`: a skeleton passes, and each mistake is named with file, line, expectation and example."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.check.project import check
from millrace.skeleton import new_source

SOURCE = "sources/travel/trips/source.yaml"
SCHEMA = "sources/travel/trips/event.avsc"
REALTIME = "models/travel/realtime/trips_per_minute.sql"
GOLD = "models/travel/gold/trips_per_day.sql"
SUITE = "expectations/silver/trips.json"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_source(tmp_path, "travel/trips")
    return tmp_path


def problems(project: Path) -> list[str]:
    return [problem.render(project) for problem in check(project)]


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_skeleton_has_no_problems(project: Path) -> None:
    assert problems(project) == []


def test_the_project_itself_has_no_problems() -> None:
    assert problems(Path(__file__).parents[2]) == []


def test_an_empty_project_has_no_problems(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


MISTAKES = yaml.safe_load((Path(__file__).parent / "check_mistakes.yaml").read_text())


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{Path(case['file']).name}: {case['mistake']}")
def test_a_mistake_is_named_where_it_stands(project: Path, case: dict[str, Any]) -> None:
    edit(project, case["file"], case["change"], case["to"])
    named = [problem for problem in problems(project) if problem.startswith(case["file"])]
    assert named == [f"{case['file']}:{found}" for found in case["found"]]


@pytest.mark.parametrize(
    "name", ["kafka_offset", "append_time", "unknown_fields", "event_date", "event_time", "reason"]
)
def test_a_field_may_not_have_a_name_of_ours(project: Path, name: str) -> None:
    edit(project, SCHEMA, '"name": "action"', f'"name": "{name}"')
    expected = f"{SOURCE}:1: found field '{name}' in event.avsc, a name that Millrace uses for its own column, "
    assert [p for p in problems(project) if p.startswith(SOURCE)] == [
        f"{expected}expected another name, e.g. trips_{name}"
    ]


def test_the_time_field_itself_may_be_called_event_time(project: Path) -> None:
    edit(project, SCHEMA, '"name": "occurred_at"', '"name": "event_time"')
    edit(project, SOURCE, "time: occurred_at", "time: event_time")
    assert problems(project) == []


def test_a_misspelt_column_is_named_with_its_line(project: Path) -> None:
    edit(project, GOLD, "DISTINCT user_id", "DISTINCT usr_id")
    (problem,) = problems(project)
    assert problem.startswith(
        f"{GOLD}:10: found column 'usr_id', which no input has, expected one of event_id, user_id,"
    )
    assert problem.endswith("(did you mean 'user_id'?)")


def test_a_rule_on_an_unknown_column_is_named(project: Path) -> None:
    edit(project, SUITE, '"event_time"', '"occurred_at"')
    (problem,) = problems(project)
    assert problem.startswith(f"{SUITE}:6: found column 'occurred_at', which the table does not have, expected one of ")


def test_a_table_without_a_suite_is_named(project: Path) -> None:
    (project / SUITE).unlink()
    (problem,) = problems(project)
    assert problem.startswith(f'{SUITE}:1: found no file, expected a suite for the table silver.trips, e.g. {{"name": ')


def test_a_suite_without_a_table_is_named(project: Path) -> None:
    (project / SUITE).rename(project / "expectations/silver/trip.json")
    found = "a suite for silver.trip, which does not exist, expected a suite of a table"
    assert f"expectations/silver/trip.json:1: found {found}" in problems(project)


def test_a_topic_is_taken_once(project: Path) -> None:
    new_source(project, "media/clicks")
    edit(project, "sources/media/clicks/source.yaml", "name: clicks", "name: trips")
    assert problems(project) == [
        "sources/travel/trips/source.yaml:4: found topic 'trips', which media/clicks has already, "
        "expected a name of its own, e.g. travel_trips",
        "sources/travel/trips/source.yaml:4: found topic 'trips_dlq', which media/clicks has already, "
        "expected a name of its own, e.g. travel_trips",
    ]


def test_a_table_behind_a_view_is_not_taken_again(project: Path) -> None:
    path = project / REALTIME
    path.with_name("trips_per_minute_state.sql").write_text(path.read_text())
    assert problems(project) == [
        "models/travel/realtime/trips_per_minute_state.sql:2: "
        "found ClickHouse table 'realtime.trips_per_minute_state', "
        "which travel/trips_per_minute has already, expected a name of its own, e.g. travel_trips_per_minute_state"
    ]


def test_a_circle_of_models_is_named(project: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        path = project / f"models/travel/gold/{name}.sql"
        path.write_text(f"/* millrace\ninputs: [gold.{other}]\npartition: day\n*/\nSELECT day FROM {other}\n")
        rule = {"type": "expect_column_to_exist", "kwargs": {"column": "day"}, "severity": "critical"}
        suite = project / f"expectations/gold/{name}.json"
        suite.write_text(json.dumps({"name": f"gold.{name}", "expectations": [rule]}))
    (problem,) = problems(project)
    assert ":2: found a circle of inputs: gold." in problem


STREAM = """/* millrace
inputs: [trips]
watermark: 2 minutes
key: [window_start]
topic: trip-counts
*/
SELECT window.start AS window_start, count(*) AS trips
FROM trips
GROUP BY window(event_time, '5 minutes')
"""


def write_stream(project: Path, text: str) -> str:
    path = project / "models/travel/stream/trip_counts.sql"
    path.parent.mkdir()
    path.write_text(text)
    return str(path.relative_to(project))


def test_a_stream_model_over_time_windows_is_well(project: Path) -> None:
    write_stream(project, STREAM)
    assert problems(project) == []


def test_a_stream_model_must_be_able_to_forget(project: Path) -> None:
    text = STREAM.replace("window.start AS window_start", "action AS window_start")
    path = write_stream(project, text.replace("window(event_time, '5 minutes')", "action"))
    assert problems(project) == [
        f"{path}:9: found a GROUP BY without a time window, whose state never ends, expected one, "
        "e.g. GROUP BY window(event_time, '5 minutes')"
    ]


def test_a_stream_model_has_no_last_row(project: Path) -> None:
    path = write_stream(project, STREAM + "ORDER BY trips")
    assert problems(project) == [
        f"{path}:10: found ORDER BY, which would wait for the last row of a stream, "
        "expected a SELECT over time windows, e.g. GROUP BY window(event_time, '5 minutes')"
    ]


def test_a_file_that_is_no_text_is_named(project: Path) -> None:
    (project / GOLD).write_bytes(b"\xff\xfe")
    assert f"{GOLD}:1: found bytes that are no text, expected UTF-8" in problems(project)


def test_a_gold_model_reads_its_own_domain(project: Path) -> None:
    new_source(project, "media/clicks")
    edit(project, GOLD, "inputs: [silver.trips]", "inputs: [silver.clicks]")
    edit(project, GOLD, "FROM trips", "FROM clicks")
    assert problems(project) == [
        f"{GOLD}:3: found input 'silver.clicks' of a gold model in travel, expected one of silver.trips "
        "(did you mean 'silver.trips'?)"
    ]


def test_silver_code_needs_its_function(project: Path) -> None:
    (project / "sources/travel/trips/silver.py").write_text("def clean(df):\n    return df\n")
    assert problems(project) == [
        "sources/travel/trips/silver.py:1: found neither 'refine' nor 'REJECT_RULES', expected one of them, "
        "e.g. def refine(df: DataFrame) -> DataFrame:"
    ]


def test_a_case_belongs_to_a_source_and_holds_records(project: Path) -> None:
    cases = project / "tests/cases"
    (cases / "trips/first_rows/kafka.jsonl").write_text('{"event_id": "1"}\n{')
    (cases / "trip/late").mkdir(parents=True)
    (cases / "trip/late/silvr.jsonl").write_text("")
    assert problems(project) == [
        "tests/cases/trip/late:1: found a case of 'trip', expected one of trips (did you mean 'trips'?)",
        "tests/cases/trip/late/kafka.jsonl:1: found no file, expected the records of the case, "
        'one JSON object per line, e.g. {"value": {"event_id": "1"}}',
        "tests/cases/trip/late/silvr.jsonl:1: found file 'silvr.jsonl', expected one of kafka.jsonl, silver.jsonl, "
        "quarantine.jsonl, rejected.jsonl (did you mean 'silver.jsonl'?)",
        'tests/cases/trips/first_rows/kafka.jsonl:1: found {"event_id": "1"}, expected an object with \'value\', '
        'e.g. {"value": {"event_id": "1"}}',
        "tests/cases/trips/first_rows/kafka.jsonl:2: found broken JSON "
        "(Expecting property name enclosed in double quotes), expected one JSON object per line",
    ]


def test_files_that_nothing_reads_are_named(project: Path) -> None:
    (project / "models/travel/loose.sql").write_text("SELECT 1")
    (project / "sources/travel/empty").mkdir()
    (project / "sources/travel/half").mkdir()
    (project / "sources/travel/half/event.avsc").write_text("{}")
    assert problems(project) == [
        "models/travel/loose.sql:1: found a model in this place, "
        "expected models/<domain>/<realtime, stream or gold>/<table>.sql, e.g. models/shop/gold/daily_orders.sql",
        "sources/travel/half:1: found a folder without source.yaml, expected the source's contract, e.g. source.yaml",
    ]


def test_one_broken_contract_does_not_hide_the_others(project: Path) -> None:
    new_source(project, "media/clicks")
    edit(project, SOURCE, "kind: stream", "kind: push")
    edit(project, "models/media/gold/clicks_per_day.sql", "partition: event_date", "partition: day")
    files = [problem.split(":")[0] for problem in problems(project)]
    assert files == ["models/media/gold/clicks_per_day.sql", SOURCE]
