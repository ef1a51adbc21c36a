"""An operator at the Airflow UI: finds the DAGs, sees how the streams are, pauses and resumes them."""

from playwright.sync_api import Page, expect

from millrace import names
from millrace.control.database import connect
from millrace.control.groups import GroupState, read_group
from tests.services.platform import Platform, await_that


def group(platform: Platform) -> GroupState:
    with connect(platform.settings) as conn:
        return read_group(conn, names.STREAM_GROUP)


def test_the_hourly_dag_shows_its_tables(page: Page, platform: Platform) -> None:
    page.goto(f"{platform.settings.airflow_url}/dags/{names.medallion_dag('shop')}")
    expect(page.get_by_text("silver_user_events").first).to_be_visible()
    expect(page.get_by_text("gold_kpi_dau").first).to_be_visible()


def test_streams_are_paused_and_resumed_from_the_page(page: Page, platform: Platform) -> None:
    page.goto(f"{platform.settings.airflow_url}/millrace/")
    expect(page.get_by_text("live.user_events").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    await_that(lambda: group(platform).state == "paused", "the streams to pause")
    page.goto(f"{platform.settings.airflow_url}/millrace/")
    page.get_by_role("button", name="Run").click()
    await_that(lambda: group(platform).state == "running", "the streams to run again")
