"""Airflow's four components, on PostgreSQL, with LocalExecutor and as much parallelism as two cores bear."""

import configparser
import fcntl
import io
import json
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import requests
from cryptography.fernet import Fernet

from deploy.local.airflow_api import AirflowApi
from deploy.local.postgres_server import AIRFLOW_DATABASE
from deploy.local.stack import Part, Stack, write_file
from millrace.names import BATCH_POOL, STREAM_POOL
from millrace.settings import ROOT, Settings

Sections = dict[str, dict[str, object]]
POOLS = {BATCH_POOL: 3, STREAM_POOL: 8}
COMPONENTS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
"""Command of each component beside the API server, and its name in Airflow's health report."""


def airflow_config(settings: Settings, home: Path, keys: dict[str, str]) -> str:
    """Airflow's airflow.cfg: only what differs from Airflow's own defaults."""
    sections = _core(settings, home, keys) | _database(settings) | _services(settings, home, keys)
    config = configparser.ConfigParser(interpolation=None)
    config.read_dict(
        {name: {k: str(v).replace("%", "%%") for k, v in options.items()} for name, options in sections.items()}
    )
    text = io.StringIO()
    config.write(text)
    return text.getvalue()


def _core(settings: Settings, home: Path, keys: dict[str, str]) -> Sections:
    core = {
        "dags_folder": ROOT / "dags",
        "plugins_folder": ROOT / "plugins",
        "executor": "LocalExecutor",
        "mp_start_method": "fork",
        "parallelism": 6,
        "max_active_tasks_per_dag": 6,
        "dags_are_paused_at_creation": False,
        "load_examples": False,
        "fernet_key": keys["fernet_key"],
        "execution_api_server_url": f"{settings.airflow_url}/execution/",
        "simple_auth_manager_users": f"{settings.airflow_user}:admin",
        "simple_auth_manager_passwords_file": _passwords_file(home),
    }
    return {"core": core}


def _database(settings: Settings) -> Sections:
    password = quote(settings.postgres_password.get_secret_value(), safe="")
    address = f"{settings.postgres_host}:{settings.postgres_port}"
    database = f"{settings.postgres_user}:{password}@{address}/{AIRFLOW_DATABASE}"
    schemes = {"sql_alchemy_conn": "postgresql+psycopg2", "sql_alchemy_conn_async": "postgresql+asyncpg"}
    return {"database": {name: f"{scheme}://{database}" for name, scheme in schemes.items()}}


def _services(settings: Settings, home: Path, keys: dict[str, str]) -> Sections:
    return {
        "logging": {"base_log_folder": home / "logs", "colored_console_log": False},
        "api": {
            "base_url": settings.airflow_url,
            "host": settings.host,
            "port": settings.airflow_port,
            "workers": 1,
            "secret_key": keys["api_secret_key"],
            "instance_name": "Millrace",
        },
        "api_auth": {"jwt_secret": keys["jwt_secret"]},
        # What a killed component held is taken up again within seconds, not within Airflow's five minutes.
        "workers": {"execution_api_timeout": 30},  # on a busy machine 5 s failed tasks before they had begun
        "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
        "scheduler": {
            "orphaned_tasks_check_interval": 10,
            "task_instance_heartbeat_timeout": 45,
            "catchup_by_default": False,
            # Each loop looks at every task of so many runs; with all 24 of a backfill it costs half a core.
            "max_dagruns_per_loop_to_schedule": 10,
            "max_dagruns_to_create_per_loop": 100,
            "enable_health_check": False,
        },
        "dag_processor": {"refresh_interval": 40, "min_file_process_interval": 40, "parsing_processes": 1},
    }


def airflow_services(stack: Stack) -> tuple[Part, ...]:
    """The API server, and the components that need it or the database."""
    return (_api_server(stack), *(_component(stack, command) for command in COMPONENTS))


def _api_server(stack: Stack) -> Part:
    s = stack.settings
    return Part(
        name="airflow-api-server",
        address=s.airflow_url,
        command=(*_airflow(), "api-server", "--host", s.host, "--port", str(s.airflow_port), "--workers", "1"),
        ports={"airflow_port": s.airflow_port},
        env=_environment(stack),
        needs=("postgres",),
        external="airflow_url" if stack.is_external("airflow_url") else "",
        prepare=lambda: _prepare(stack),
        check=lambda: _check_database(s.airflow_url),
        finish=lambda: _create_pools(s),
        deadline=300.0,
    )


def _component(stack: Stack, command: str) -> Part:
    s = stack.settings
    quiet = () if command == "dag-processor" else ("--skip-serve-logs",)  # the API server reads the same folder
    return Part(
        name=f"airflow-{command}",
        address=s.airflow_url,
        command=(*_airflow(), command, *quiet),
        env=_environment(stack),
        needs=("postgres", "airflow-api-server", *(("deploy",) if command == "scheduler" else ())),
        external="airflow_url" if stack.is_external("airflow_url") else "",
        prepare=lambda: _prepare(stack),
        check=lambda: _check_component(s.airflow_url, COMPONENTS[command]),
        deadline=300.0,
        behind=command == "dag-processor",
    )


def _airflow() -> tuple[str, ...]:
    return (sys.executable, "-m", "airflow")


def _environment(stack: Stack) -> dict[str, str]:
    path = stack.environment()["PYTHONPATH"]
    return {"AIRFLOW_HOME": str(_home(stack)), "PYTHONPATH": f"{path}:{ROOT / 'deploy' / 'airflow'}"}


def _home(stack: Stack) -> Path:
    return stack.state / "airflow"


def _passwords_file(home: Path) -> Path:
    return home / "passwords.json"


def _prepare(stack: Stack) -> None:
    """Write Airflow's configuration and bring its database to this version; the first component to come does it."""
    home, s = _home(stack), stack.settings
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = airflow_config(s, home, _keys(home / "keys.json"))
        write_file(home / "airflow.cfg", config, mode=0o600)
        login = {s.airflow_user: s.airflow_password.get_secret_value()}
        write_file(_passwords_file(home), json.dumps(login), mode=0o600)
        _migrate(stack, home / "migrated.txt")


def _keys(path: Path) -> dict[str, str]:
    """Airflow's own secrets; they stay the same, so that sessions and running tasks survive a restart."""
    if not path.exists():
        keys = {"fernet_key": Fernet.generate_key().decode()}
        keys |= {name: secrets.token_urlsafe(32) for name in ("api_secret_key", "jwt_secret")}
        write_file(path, json.dumps(keys), mode=0o600)
    return dict(json.loads(path.read_text()))


def _migrate(stack: Stack, stamp: Path) -> None:
    s = stack.settings
    wanted = f"{version('apache-airflow')} {s.postgres_host}:{s.postgres_port}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    environment = stack.environment() | _environment(stack)
    with (stack.logs / "airflow-migrate.log").open("w") as log:
        subprocess.run([*_airflow(), "db", "migrate"], env=environment, check=True, stdout=log, stderr=log)
    stamp.write_text(wanted)


def _health(url: str) -> dict[str, dict[str, str]]:
    answer = requests.get(f"{url}/api/v2/monitor/health", timeout=5)
    answer.raise_for_status()
    return dict(answer.json())


def _check_database(url: str) -> None:
    _check_component(url, "metadatabase")


def _check_component(url: str, component: str) -> None:
    report = _health(url).get(component, {})
    if report.get("status") != "healthy":
        raise ConnectionError(f"Airflow says that its {component} is {report.get('status')}")


def _create_pools(settings: Settings) -> None:
    api = AirflowApi(settings)
    for name, slots in POOLS.items():
        api.ensure_pool(name, slots)
