"""A browser that is logged in to the Airflow of the tests' own stack."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.services.conftest import platform
from tests.services.platform import Platform

__all__ = ["page", "platform"]
CHROMIUM = shutil.which("chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync")
PATIENCE = 120_000


@pytest.fixture(scope="module")
def page(platform: Platform) -> Iterator[Page]:
    """A page behind Airflow's login form."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(PATIENCE)
        log_in(page, platform)
        yield page
        browser.close()


def log_in(page: Page, platform: Platform) -> None:
    page.goto(platform.settings.airflow_url)
    page.fill("input[name=username]", platform.settings.airflow_user)
    page.fill("input[type=password]", platform.settings.airflow_password.get_secret_value())
    page.keyboard.press("Enter")
    page.get_by_text("Dags", exact=True).first.wait_for()
