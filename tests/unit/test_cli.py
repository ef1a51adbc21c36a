"""The `millrace` command: output, exit codes, and errors without a traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from millrace.cli import app
from millrace.settings import settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_new_source_passes_check(project: Path) -> None:
    written = run("new-source", "travel/trips", "--format", "avro")
    assert written.exit_code == 0
    assert "wrote sources/travel/trips/source.yaml" in written.output
    checked = run("check")
    assert checked.exit_code == 0, checked.output
    assert "are well" in checked.output


def test_check_lists_problems_and_fails(project: Path) -> None:
    run("new-source", "travel/trips")
    (project / "expectations/silver/trips.json").unlink()
    checked = run("check")
    assert checked.exit_code == 1
    assert "expectations/silver/trips.json:1: found no file" in checked.output
    assert "1 problem(s) in 1 file(s)" in checked.output


def test_a_source_that_exists_is_not_written_over(project: Path) -> None:
    run("new-source", "travel/trips")
    schema = project / "sources/travel/trips/event.avsc"
    schema.write_text("mine")
    again = run("new-source", "media/trips")
    assert again.exit_code == 2
    assert "nothing was written" in again.stderr
    assert schema.read_text() == "mine"
    assert not (project / "sources/media").exists()


@pytest.mark.parametrize("place", ["trips", "Travel/trips", "travel/trips/more", "../trips", "travel/"])
def test_a_place_must_be_domain_and_source(project: Path, place: str) -> None:
    written = run("new-source", place)
    assert written.exit_code == 2
    assert f"found '{place}', expected <domain>/<source>" in written.stderr
    assert not any(project.iterdir())


def test_sources_and_models_are_listed(project: Path) -> None:
    run("new-source", "travel/trips")
    assert "travel/trips" in run("sources").output
    assert "realtime.trips_per_minute" in run("models").output
    assert "gold.trips_per_day" in run("models").output


def test_a_broken_contract_is_a_panel_and_not_a_traceback(project: Path) -> None:
    run("new-source", "travel/trips")
    (project / "sources/travel/trips/source.yaml").write_text("[")
    listed = run("sources")
    assert listed.exit_code == 2
    assert "sources/travel/trips/source.yaml:1: found broken YAML" in listed.stderr
    assert "Traceback" not in listed.output


def test_settings_hide_secrets(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_PSEUDONYM_KEY", "hunter2")
    shown = run("settings")
    assert shown.exit_code == 0
    assert "hunter2" not in shown.output
    assert "MILLRACE_PSEUDONYM_KEY" in shown.output


def test_a_wrong_setting_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_KAFKA_PROT", "9092")
    shown = run("settings")
    assert shown.exit_code == 2
    assert "unknown setting MILLRACE_KAFKA_PROT" in shown.stderr


def test_a_port_must_be_a_number(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_KAFKA_PORT", "many")
    assert "MILLRACE_KAFKA_PORT" in run("settings").stderr
