"""Generated pages: what they say follows from the project, and drift is found."""

from pathlib import Path

import pytest

from millrace.contracts.catalog import read_catalog
from millrace.pages import drifted, pages, write_pages
from millrace.settings import Settings
from millrace.skeleton import new_source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    new_source(tmp_path, "travel/trips")
    return tmp_path


def page(project: Path, name: str) -> str:
    return pages(read_catalog(project))[Path("docs") / name]


def test_pages_written_do_not_drift(project: Path) -> None:
    assert write_pages(project)
    assert drifted(project) == []
    assert write_pages(project) == []


def test_a_changed_contract_is_drift(project: Path) -> None:
    write_pages(project)
    contract = project / "sources/travel/trips/source.yaml"
    contract.write_text(contract.read_text().replace("One row per trip.", "One row per journey."))
    assert drifted(project) == [Path("docs/catalog/travel.md")]


def test_the_page_of_a_domain_that_is_gone_is_removed(project: Path) -> None:
    new_source(project, "media/clicks")
    write_pages(project)
    for path in [*project.glob("sources/media/**/*"), *project.glob("models/media/**/*")]:
        if path.is_file():
            path.unlink()
    assert Path("docs/catalog/media.md") in write_pages(project)
    assert not (project / "docs/catalog/media.md").exists()


def test_a_page_that_a_person_wrote_is_left_alone(project: Path) -> None:
    write_pages(project)
    own = project / "docs/catalog/notes.md"
    own.write_text("# Notes\n")
    assert write_pages(project) == []
    assert own.exists()


def test_a_domain_page_tells_fields_tables_and_models(project: Path) -> None:
    text = page(project, "catalog/travel.md")
    assert "| `user_id` | string | no | Who did it. | a pseudonym (keyed HMAC) |" in text
    assert "`trips`, `trips.dlq`" in text
    assert "Read it in ClickHouse as `gold.trips_per_day`. Inputs: `silver.trips`." in text
    assert "Columns: `window_start`, `window_end`, `action`, `event_count`." in text


def test_the_lineage_leads_from_the_topic_to_clickhouse(project: Path) -> None:
    text = page(project, "catalog/travel.md")
    for edge in (
        'topic_trips["topic trips"] --> bronze_trips["bronze.trips"]',
        'bronze_trips["bronze.trips"] --> silver_trips["silver.trips"]',
        'live_trips["live.trips"] --> realtime_trips_per_minute["realtime.trips_per_minute"]',
        'lake_gold_trips_per_day["lake gold.trips_per_day"] --> ClickHouse_gold_trips_per_day',
    ):
        assert edge in text


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_settings_page_names_every_variable(project: Path) -> None:
    text = page(project, "settings.md")
    assert all(f"`MILLRACE_{name.upper()}`" in text for name in Settings.model_fields)
    assert str(Path(__file__).parents[2]) not in text


def test_the_pages_of_this_project_are_up_to_date() -> None:
    assert drifted(Path(__file__).parents[2]) == []
