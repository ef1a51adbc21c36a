"""The FastAPI application behind the page; every request needs a user whom Airflow has logged in."""

from pathlib import Path
from secrets import compare_digest
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader
from prometheus_client import CONTENT_TYPE_LATEST

from millrace import names
from millrace.control.database import connect
from millrace.control.groups import Desired, GroupState
from millrace.errors import TransientError
from millrace.settings import settings
from millrace_airflow.pages.metrics import exposition
from millrace_airflow.pages.overview import group_tone, overview, read_groups
from millrace_airflow.pages.section import age
from millrace_airflow.wishes import wish

_templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
app = FastAPI(title="Millrace", docs_url=None, redoc_url=None, openapi_url=None)


def _reader(user: GetUserDep) -> BaseUser:
    """Whoever may read the stream group's DAG may see the page."""
    return _allowed(user, "GET", names.STREAM_GROUP)


def _allowed(user: BaseUser, method: str, group: str) -> BaseUser:
    details = DagDetails(id=names.stream_dag(group))
    if not get_auth_manager().is_authorized_dag(method=method, details=details, user=user):  # type: ignore[arg-type]
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"needs the right to {method} DAG {details.id}")
    return user


@app.get("/", response_class=HTMLResponse)
def page(request: Request, user: Annotated[BaseUser, Depends(_reader)]) -> str:
    """The whole page; its script asks for it again every few seconds and shows what changed."""
    chosen = settings()
    groups, problem = _groups()
    return _templates.get_template("overview.html").render(
        groups=[(group, group_tone(group, chosen)) for group in groups],
        problem=problem,
        sections=overview(chosen),
        age=age,
        root=request.scope.get("root_path", ""),
        may_wish=get_auth_manager().is_authorized_dag(
            method="PUT", details=DagDetails(id=names.stream_dag(names.STREAM_GROUP)), user=user
        ),
    )


@app.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """For Prometheus, which has no session in Airflow: open, or behind the token that the settings name."""
    token = settings().metrics_token.get_secret_value()
    shown = request.headers.get("Authorization", "")
    if token and not compare_digest(shown.encode(), f"Bearer {token}".encode()):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "show MILLRACE_METRICS_TOKEN as a bearer token")
    return Response(exposition(settings()), media_type=CONTENT_TYPE_LATEST)


@app.post("/groups/{group}/{desired}")
def set_wish(group: str, desired: Desired, request: Request, user: GetUserDep) -> Response:
    """Wish a state for a stream group; needs the right to edit its DAG."""
    if group != names.STREAM_GROUP:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no stream group '{group}'")
    _allowed(user, "PUT", group)
    with connect(settings()) as conn:
        wish(conn, group, desired, user.get_name())
    return RedirectResponse(f"{request.scope.get('root_path', '')}/", status.HTTP_303_SEE_OTHER)


def _groups() -> tuple[list[GroupState], str]:
    try:
        return read_groups(settings()), ""
    except TransientError as error:
        return [], str(error)


@app.exception_handler(status.HTTP_401_UNAUTHORIZED)
def log_in(request: Request, error: Exception) -> Response:
    """Without a session, a reader goes to Airflow's login and comes back."""
    if request.method != "GET":
        return JSONResponse({"detail": "log in first"}, status.HTTP_401_UNAUTHORIZED)
    return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), status.HTTP_303_SEE_OTHER)
