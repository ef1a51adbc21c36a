"""The page in the Airflow UI: what it shows, whom it lets in, and what a service that is down spoils."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from stream_states import gone, group

from millrace.errors import TransientError


@pytest.fixture
def page(monkeypatch):
    """The application with a control plane, sections and an auth manager of our own."""
    from airflow.api_fastapi.core_api import security
    from fastapi.testclient import TestClient

    from millrace_airflow.pages import app as module
    from millrace_airflow.pages.section import Cell, Section

    seen = SimpleNamespace(groups=[group()], wishes=[], may={"GET", "PUT"}, section=Section("Gates", "", ("table",)))
    seen.section = replace(seen.section, rows=((Cell("silver.user_events", "good"),),))
    user = SimpleNamespace(get_name=lambda: "ann")
    manager = SimpleNamespace(
        is_authorized_dag=lambda method, details, user: method in seen.may and details.id == "stream_group_streams",
        get_url_login=lambda next_url: f"/auth/login?next={next_url}",
    )
    monkeypatch.setattr(module, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(module, "read_groups", lambda _: seen.groups)
    monkeypatch.setattr(module, "overview", lambda _: (seen.section,))
    monkeypatch.setattr(module, "connect", lambda _: _Nothing())
    monkeypatch.setattr(module, "wish", lambda _conn, *wished: seen.wishes.append(wished))
    monkeypatch.setitem(module.app.dependency_overrides, security.get_user, lambda: user)
    seen.client, seen.overrides, seen.get_user = (
        TestClient(module.app),
        module.app.dependency_overrides,
        security.get_user,
    )
    return seen


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_it_shows_groups_and_sections(page):
    text = page.client.get("/").text
    assert "running" in text
    assert "pid 4711 on here" in text
    assert '<td class="good">silver.user_events</td>' in text


def test_an_error_is_shown_and_escaped(page):
    page.groups = [gone(last_error="<script>alert(1)</script>", attempts=3)]
    text = page.client.get("/").text
    assert "not running" in text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text


def test_it_says_that_supervision_gave_up_and_why(page):
    page.groups = [gone(last_error="no such topic", attempts=8, given_up="now")]
    text = page.client.get("/").text
    assert "gave up after 8 launches" in text
    assert "no such topic" in text


def test_a_wish_is_recorded_with_who_made_it(page):
    answer = page.client.post("/groups/streams/paused", follow_redirects=False)
    assert (answer.status_code, page.wishes) == (303, [("streams", "paused", "ann")])


@pytest.mark.parametrize("path", ["/groups/streams/sideways", "/groups/rivers/paused"])
def test_what_is_no_wish_is_refused(page, path):
    assert page.client.post(path).status_code in (404, 422)
    assert page.wishes == []


def test_a_reader_sees_no_buttons_and_may_not_wish(page):
    page.may = {"GET"}
    assert "<form" not in page.client.get("/").text
    assert page.client.post("/groups/streams/paused").status_code == 403
    assert page.wishes == []


def test_without_rights_there_is_no_page(page):
    page.may = set()
    assert page.client.get("/").status_code == 403


def test_without_a_session_there_is_the_login(page):
    del page.overrides[page.get_user]
    answer = page.client.get("/", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/login?next=")
    assert page.client.post("/groups/streams/paused").status_code == 401


def test_a_service_that_is_down_spoils_one_section(monkeypatch):
    from millrace_airflow.pages import overview as module

    def down(*_):
        raise TransientError("ClickHouse does not answer")

    monkeypatch.setattr(module, "query_progress", down)
    monkeypatch.setattr(module, "ask", lambda *_: [])
    monkeypatch.setattr(module, "_read_ledger", lambda _: [])
    monkeypatch.setattr(module, "_read_alerts", lambda _: [])
    problems = {s.title: s.problem for s in module.overview(None)}
    assert [title for title, problem in problems.items() if problem] == ["Streaming queries"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (0.44, "0.4 s"), (61, "61 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages_read_well(seconds, said):
    from millrace_airflow.pages.section import age

    assert age(seconds) == said


def test_an_interval_reads_well():
    from millrace_airflow.pages.section import span

    assert span("20260131T100000.000000Z-20260131T110000.000000Z") == "2026-01-31 10:00 to 11:00:00"
    assert span("whatever") == "whatever"


def test_metrics_need_no_session_but_a_token_where_one_is_set(page, monkeypatch):
    from pydantic import SecretStr

    from millrace_airflow.pages import app as module

    monkeypatch.setattr(module, "exposition", lambda _: b"millrace_up 1\n")
    assert page.client.get("/metrics").text == "millrace_up 1\n"
    closed = module.settings().model_copy(update={"metrics_token": SecretStr("open sesame")})
    monkeypatch.setattr(module, "settings", lambda: closed)
    assert page.client.get("/metrics").status_code == 403
    assert page.client.get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200


def test_a_service_that_is_away_costs_its_own_metrics(monkeypatch):
    from millrace.settings import settings
    from millrace_airflow.pages import metrics as module

    def away(*_):
        raise TransientError("does not answer")

    def asked(_, query):
        return [("live.user_events", *range(1, 9))] if "stream_health" in query else [("user_events", 2.5)]

    monkeypatch.setattr(module, "connect", away)
    monkeypatch.setattr(module, "ask", asked)
    text = module.exposition(settings()).decode()
    assert 'millrace_up{service="clickhouse"} 1.0' in text
    assert 'millrace_up{service="postgres"} 0.0' in text
    assert 'millrace_query_lag_records{query="live.user_events"} 1.0' in text
    assert 'millrace_source_freshness_seconds{source="user_events"} 2.5' in text
    assert "millrace_group" not in text
