"""What differs between a laptop and a cluster: `MILLRACE_*` settings, read once into one frozen object."""

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from millrace.errors import ConfigError

PREFIX = "MILLRACE_"
ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Every setting, with the default that suits one machine. Durations are seconds unless the name says otherwise.

    Addresses left empty point at the local stack: `host` and the port that people expect, plus `port_offset`, so
    that two stacks can live side by side.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True)

    project_dir: Path = ROOT
    """Holds sources/, models/ and expectations/."""
    state_dir: Path = ROOT / ".millrace"
    """Everything that a stack writes: data, logs, secrets, downloads."""
    downloads: Path = ROOT / ".millrace" / "downloads"
    """Cache of what the local stack fetched; stacks share it."""
    host: str = "127.0.0.1"
    port_offset: int = 0

    airflow_port: int = 8888
    clickhouse_http_port: int = 8123
    clickhouse_tcp_port: int = 9000
    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    registry_port: int = 8081
    connect_port: int = 8083
    postgres_port: int = 5432
    spark_connect_port: int = 15002
    spark_ui_port: int = 4040

    kafka_bootstrap: str = ""
    kafka_max_replication: int = 1
    """Contracts ask for a replication; a small cluster gives at most this."""
    registry_url: str = ""
    clickhouse_host: str = ""
    clickhouse_user: str = "millrace"
    clickhouse_password: SecretStr = SecretStr("")
    clickhouse_memory: int = 2_000_000_000
    """Bytes that the local ClickHouse may use."""
    dashboard_password: SecretStr = SecretStr("")
    """Password of ClickHouse's read-only user `dashboard`."""
    postgres_host: str = ""
    postgres_user: str = "millrace"
    postgres_password: SecretStr = SecretStr("")
    postgres_database: str = "millrace"
    """Holds the schema `ops`."""
    spark_connect_url: str = ""
    airflow_url: str = ""
    airflow_user: str = "admin"
    airflow_password: SecretStr = SecretStr("")
    simulator_rate: float = 20.0
    """Events per second of each simulator that the local stack runs; 0 runs none."""

    lake: str = ""
    """Root of the Delta tables: a folder or an s3a:// address."""
    checkpoints: str = ""

    pseudonym_key: SecretStr = SecretStr("")
    """Key of the HMAC that pseudonymises personal data. Losing it breaks joins with older rows."""

    stream_master: str = "local[2]"
    stream_deploy_mode: Literal["client", "cluster"] = "client"
    stream_memory: str = "1500m"
    spark_conf: dict[str, str] = {}
    """Further Spark settings for everything that runs on Spark, as JSON, e.g. the address of S3-compatible storage."""
    stream_conf: dict[str, str] = {}
    """Further Spark settings for stream groups, as JSON."""
    connect_master: str = "local[2]"
    connect_memory: str = "1500m"
    landing_trigger_ms: int = 2000
    live_trigger_ms: int = 100
    max_records_per_batch: int = 200_000
    lease_ttl: float = 15.0
    """A driver whose lease is older than this is dead; another may take over."""
    heartbeat_interval: float = 3.0
    stall_after: float = 60.0
    """A driver that has records to read and has not finished a batch for this long is stalled."""
    restart_backoff_max: float = 300.0
    restart_attempts: int = 8

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: dict[str, Any]) -> dict[str, Any]:
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        unknown = sorted(k for k in os.environ if k.startswith(PREFIX) and k not in known)
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; `millrace settings` lists those that exist")
        return values

    @model_validator(mode="before")
    @classmethod
    def _fill_addresses(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Derive the local stack's addresses from host, ports and offset where none is given."""
        v = {name: f.default for name, f in cls.model_fields.items()} | values
        offset, host, state = _number("port_offset", v["port_offset"]), v["host"], Path(v["state_dir"])
        ports = {name: _number(name, v[name]) + offset for name in cls.model_fields if name.endswith("_port")}
        derived = {
            "kafka_bootstrap": f"{host}:{ports['kafka_port']}",
            "registry_url": f"http://{host}:{ports['registry_port']}/apis/ccompat/v7",
            "clickhouse_host": host,
            "postgres_host": host,
            "spark_connect_url": f"sc://{host}:{ports['spark_connect_port']}",
            "airflow_url": f"http://{host}:{ports['airflow_port']}",
            "lake": str(state / "lake"),
            "checkpoints": str(state / "checkpoints"),
        }
        filled = {name: default for name, default in derived.items() if not v[name]}
        return values | ports | filled | {"port_offset": offset}

    @property
    def postgres_dsn(self) -> str:
        """libpq connection string of the `ops` database; holds a secret, so never log it."""
        return (
            f"host={self.postgres_host} port={self.postgres_port} user={self.postgres_user} "
            f"password={self.postgres_password.get_secret_value()} dbname={self.postgres_database}"
        )


def _number(name: str, value: int | str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise ValueError(f"{PREFIX}{name.upper()}: found '{value}', expected a whole number") from error


def secrets_file(state_dir: Path) -> Path:
    """Where the local stack keeps the secrets it made for itself, as `MILLRACE_NAME=value` lines, mode 600."""
    return state_dir / "secrets.env"


def _local_secrets() -> dict[str, str]:
    path = secrets_file(Path(os.environ.get(f"{PREFIX}STATE_DIR", ROOT / ".millrace")))
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {key.removeprefix(PREFIX).lower(): value for key, value in pairs}


def read_settings() -> Settings:
    """Read and validate the settings afresh. The environment wins over the local stack's secrets file.

    Raises ConfigError naming every wrong setting at once.
    """
    from_env = {k.removeprefix(PREFIX).lower() for k in os.environ if k.startswith(PREFIX)}
    secrets = {k: v for k, v in _local_secrets().items() if k not in from_env}
    try:
        return Settings(**secrets)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [_problem(e["loc"], e["msg"]) for e in error.errors()]
        raise ConfigError("the settings are not valid:\n  " + "\n  ".join(lines)) from error


def _problem(loc: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, loc)).upper()}: {text}" if loc else text


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return read_settings()
