"""What a stream group does with contracts that are broken or half written: what is whole runs."""

from pathlib import Path

import pytest

from millrace.check.healthy import healthy_catalog, streamable
from millrace.contracts.problem import ContractError
from millrace.skeleton import new_source
from spark_jobs.left_out import left_out

MODEL = """/* millrace
description: Trips by action.
inputs: [{source}]
{more}
*/
SELECT action, count(*) AS n FROM {source} GROUP BY action"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for source in ("travel/trips", "travel/stops", "media/clicks"):
        new_source(tmp_path, source)
    _write(tmp_path, "gold/trips_by_action", "trips", "key: [action]")
    _write(tmp_path, "stream/trips_now", "trips", "key: [action]\nwatermark: 2 minutes")
    _write(tmp_path, "stream/stops_now", "stops", "key: [action]\nwatermark: 2 minutes")
    return tmp_path


def _write(project: Path, model: str, source: str, more: str) -> None:
    path = project / "models" / "travel" / f"{model}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MODEL.format(source=source, more=more))


def test_a_whole_project_runs_whole(project: Path) -> None:
    catalog, problems = streamable(project)
    assert problems == ()
    assert len(catalog.sources) == 3
    assert {model.name for model in catalog.streams} == {"trips_now", "stops_now"}


@pytest.mark.parametrize("file", ["source.yaml", "event.avsc"])
def test_a_broken_source_is_left_out_alone_with_what_reads_it(project: Path, file: str) -> None:
    (project / "sources/travel/trips" / file).write_text("{")
    catalog, problems = streamable(project)
    assert {source.name for source in catalog.sources} == {"stops", "clicks"}
    assert [model.name for model in catalog.streams] == ["stops_now"]
    assert {source.name for source in healthy_catalog(project).sources} == {"clicks"}, "batch leaves the domain out"
    [spec] = left_out(problems, project, taken=())
    assert (spec.name, spec.keeps_the_lake) == ("landing.trips", True)
    with pytest.raises(ContractError, match=rf"sources/travel/trips/{file}:1: found"):
        spec.start()


def test_a_name_that_another_source_has_is_that_ones(project: Path) -> None:
    (project / "sources/travel/trips/source.yaml").write_text("{")
    _, problems = streamable(project)
    assert left_out(problems, project, taken={"landing.trips"}) == []


def test_a_broken_model_is_left_out_alone(project: Path) -> None:
    _write(project, "stream/trips_now", "trips", "output: now and then")
    catalog, problems = streamable(project)
    assert len(catalog.sources) == 3
    assert [model.name for model in catalog.streams] == ["stops_now"]
    [spec] = left_out(problems, project, taken=())
    assert (spec.name, spec.keeps_the_lake) == ("stream.trips_now", False)


def test_gold_is_not_the_streams_business(project: Path) -> None:
    _write(project, "gold/trips_by_action", "nothing", "key: [action]")
    catalog, problems = streamable(project)
    assert len(catalog.sources) == 3
    assert problems == ()
    assert healthy_catalog(project).domains == ("media",)
