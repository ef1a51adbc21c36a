"""What differs between a laptop and a cluster: `MILLRACE_*` settings, read once into one frozen object."""

import os
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import PositiveInt, SecretStr, ValidationError, model_validator
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
    """Where the local stack listens."""
    port_offset: int = 0
    """Added to every port of the local stack, so that two stacks can live side by side."""

    airflow_port: int = 8888
    """Airflow's UI and API."""
    clickhouse_http_port: int = 8123
    """ClickHouse over HTTP."""
    clickhouse_tcp_port: int = 9000
    """ClickHouse over its own protocol."""
    kafka_port: int = 9092
    """The Kafka broker."""
    kafka_controller_port: int = 9093
    """The Kafka controller, used by the broker only."""
    registry_port: int = 8081
    """The schema registry."""
    connect_port: int = 8083
    """Kafka Connect."""
    postgres_port: int = 5432
    """PostgreSQL."""
    spark_connect_port: int = 15002
    """The Spark Connect server."""
    spark_ui_port: int = 4040
    """Spark's own UI."""

    kafka_bootstrap: str = ""
    """Brokers as host:port, with commas between."""
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """Kafka's security protocol."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How clients say who they are, where the protocol has SASL in its name."""
    kafka_user: str = ""
    """The user that clients of Kafka are, with SASL."""
    kafka_password: SecretStr = SecretStr("")
    """Its password."""
    kafka_ca: str = ""
    """PEM file of the authority that signed the brokers' certificates, on every machine; empty: the system's own."""
    kafka_max_replication: int = 1
    """Contracts ask for a replication; a small cluster gives at most this."""
    registry_url: str = ""
    """The registry's Confluent-compatible API."""
    clickhouse_host: str = ""
    """The ClickHouse server."""
    clickhouse_secure: bool = False
    """Whether ClickHouse is spoken to by HTTPS."""
    clickhouse_ca: str = ""
    """PEM file of the authority that signed ClickHouse's certificate; empty: the well-known ones."""
    clickhouse_user: str = "millrace"
    """The user that writes to ClickHouse."""
    clickhouse_password: SecretStr = SecretStr("")
    """Its password; the local stack makes one."""
    clickhouse_memory: int = 2_000_000_000
    """Bytes that the local ClickHouse may use."""
    dashboard_password: SecretStr = SecretStr("")
    """Password of ClickHouse's read-only user `dashboard`."""
    postgres_host: str = ""
    """The PostgreSQL server."""
    postgres_user: str = "millrace"
    """The user that owns the schema `ops`."""
    postgres_password: SecretStr = SecretStr("")
    """Its password; the local stack makes one."""
    postgres_database: str = "millrace"
    """Holds the schema `ops`."""
    spark_connect_url: str = ""
    """The Spark Connect server that batch work runs in, as sc://host:port."""
    airflow_url: str = ""
    """Airflow's UI and API."""
    airflow_user: str = "admin"
    """The user that signs in to Airflow."""
    airflow_password: SecretStr = SecretStr("")
    """Its password; the local stack makes one and prints it."""
    metrics_token: SecretStr = SecretStr("")
    """Bearer token that Prometheus must show at Airflow's /millrace/metrics; empty: whoever reaches it may read."""
    simulator_rate: float = 20.0
    """Events per second of each simulator that the local stack runs; 0 runs none."""

    lake: str = ""
    """Root of the Delta tables: a folder or an s3a:// address."""
    checkpoints: str = ""
    """Root of the streaming queries' checkpoints: a folder or an s3a:// address."""

    pseudonym_key: SecretStr = SecretStr("")
    """Key of the HMAC that pseudonymises personal data. Losing it breaks joins with older rows."""

    stream_master: str = "local[6]"
    """Spark master of the stream application. Of `local[6]` a query takes two places at a time, a third of them."""
    stream_deploy_mode: Literal["client", "cluster"] = "client"
    """Where the stream application's driver runs; cluster needs YARN or Kubernetes."""
    stream_memory: str = "1500m"
    """Driver memory of the stream application."""
    spark_conf: dict[str, str] = {}
    """Further Spark settings for everything that runs on Spark, as JSON, e.g. the address of S3-compatible storage."""
    stream_conf: dict[str, str] = {}
    """Further Spark settings for stream groups, as JSON."""
    connect_master: str = "local[2]"
    """Spark master of the Connect server."""
    connect_memory: str = "1500m"
    """Driver memory of the Connect server."""
    landing_trigger_ms: int = 1000
    """How often landing commits to bronze, in milliseconds."""
    live_trigger_ms: int = 250
    """How often live looks for new records, in milliseconds."""
    hours_together: PositiveInt = 24
    """Most hours that one run of a backfill takes together, while the runs of the others wait; 1: each its own."""
    max_records_per_batch: int = 200_000
    """Most records that one micro-batch takes; of a stream model, per `landing_trigger_ms` of its trigger."""
    lease_ttl: float = 15.0
    """A driver whose lease is older than this is dead; another may take over."""
    heartbeat_interval: float = 3.0
    """How often a driver renews its lease and reports progress."""
    stall_after: float = 40.0
    """A driver that has records to read and for this long finished neither a batch nor a task of one is stalled."""
    restart_backoff_max: float = 300.0
    """Longest wait before a driver is started again."""
    restart_attempts: int = 8
    """Starts that came to nothing after which supervision gives up, until a person or a changed project asks again."""

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

    @model_validator(mode="after")
    def _ask_for_a_login(self) -> Self:
        if "SASL" in self.kafka_security and not (self.kafka_user and self.kafka_password.get_secret_value()):
            raise ValueError(
                f"{PREFIX}KAFKA_SECURITY is {self.kafka_security}; expected {PREFIX}KAFKA_USER and "
                f"{PREFIX}KAFKA_PASSWORD with it"
            )
        return self

    @property
    def clickhouse_url(self) -> str:
        """Where ClickHouse answers HTTP."""
        scheme = "https" if self.clickhouse_secure else "http"
        return f"{scheme}://{self.clickhouse_host}:{self.clickhouse_http_port}"

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
