"""Starts the driver of a stream group as a process of its own, which outlives whoever asked for it."""

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from millrace.contracts.catalog import Catalog
from millrace.control.database import connect
from millrace.control.groups import claim_launch, read_group
from millrace.driver_process import APPLICATION
from millrace.errors import ConfigError, FencedError
from millrace.settings import PREFIX, ROOT, Settings

LOG_CONFIG = APPLICATION.parent / "log4j2.properties"
_LOGGING = f"-Dlog4j2.configurationFile=file:{LOG_CONFIG}"
AVRO_LIMITS = " ".join(
    f"-Dorg.apache.avro.limits.{what}.maxLength={most}"
    for what, most in {"string": 67_108_864, "bytes": 67_108_864, "collectionItems": 10_000_000}.items()
)
"""Java options. A broken record may announce a text of gigabytes; without a limit Avro makes room for it, and dies."""
_CODE = (
    *(f"spark_jobs/{code}" for code in ("*.py", "edges/*.py", "transforms/*.py", "jvm/*.scala")),
    "millrace/clickhouse/*.py",
)
ENGINE_JAR = "millrace-engine.jar"
"""What `spark_jobs/jvm` is compiled to."""
_KEPT_LOGS = 5
JVM_OPTIONS = (
    "-Djdk.lang.Process.launchMechanism=VFORK -Duser.timezone=UTC"
    " -XX:-UseCodeCacheFlushing -XX:ReservedCodeCacheSize=512m"
)
"""Of every JVM of ours: the few child processes that it starts cost as little as they can. Outside UTC, Delta would
reconstruct a table's state after each commit, to compare it. Code once compiled stays: after a quiet minute Java would
drop it, and the next load meet an interpreter for a while."""
_DRIVER_OPTIONS = "-XX:G1HeapRegionSize=8m"
"""Buffers of a megabyte, of which Parquet and ClickHouse's inserts have many, are no extraordinary size."""
_PARENTS = ("SPARK_", "PYSPARK_", "AIRFLOW_", "SUPERVISOR_")


def launch(settings: Settings, group: str) -> int:
    """Start the group's driver and give the id of its process group.

    Raises FencedError when one is alive or was launched a moment ago: two supervisors must not start two drivers.
    """
    with connect(settings) as conn:
        if not claim_launch(conn, group):
            state = read_group(conn, group)
            what = f"pid {state.pid} on {state.host} holds the lease" if state.alive else "a launch is under way"
            raise FencedError(f"stream group '{group}' was not launched: {what}")
    log = log_file(settings, group)
    rotate(log)
    return _spawn(submit_command(settings, group), log, _environment(settings))


def log_file(settings: Settings, group: str) -> Path:
    return settings.state_dir / "logs" / f"stream-{group}.log"


def out_of_memory_mark(settings: Settings, group: str) -> Path:
    """A file that the driver's JVM leaves when its memory has run out, for the driver that follows it."""
    return settings.state_dir / "logs" / f"stream-{group}.out-of-memory"


def _mark_of(settings: Settings, group: str) -> str:
    return f"-XX:OnOutOfMemoryError='touch \"{out_of_memory_mark(settings, group)}\"'"


def submit_command(settings: Settings, group: str) -> list[str]:
    """The spark-submit command line of one group; holds no secret."""
    return [
        str(spark_home() / "bin" / "spark-submit"),
        *("--name", f"millrace-{group}"),
        *("--master", settings.stream_master),
        *("--deploy-mode", settings.stream_deploy_mode),
        *("--driver-memory", settings.stream_memory),
        *(
            "--driver-java-options",
            f"{JVM_OPTIONS} {_DRIVER_OPTIONS} {AVRO_LIMITS} {_LOGGING} {_mark_of(settings, group)}",
        ),
        *("--conf", f"spark.executor.extraJavaOptions={AVRO_LIMITS}"),
        *_jars(settings),
        *(
            arg
            for key, value in sorted((local_files(settings) | settings.stream_conf).items())
            for arg in ("--conf", f"{key}={value}")
        ),
        str(APPLICATION),
        group,
    ]


def spark_jars(settings: Settings) -> list[Path]:
    """The jars that Spark needs beside its own: Delta, Kafka, Avro, and what we add to them."""
    jars, engine = sorted((settings.downloads / "spark-jars").glob("*.jar")), settings.downloads / "engine" / ENGINE_JAR
    if not (jars and engine.exists()):
        raise ConfigError(f"{settings.downloads} lacks {engine.name} or Spark's jars; `make up` brings them")
    return [*jars, engine]


def local_files(settings: Settings) -> dict[str, str]:
    """Spark settings by which a local lake costs no child process per file."""
    if not settings.stream_master.startswith("local"):
        return {}
    return {
        "spark.hadoop.fs.file.impl": "millrace.NativeFiles",
        "spark.hadoop.fs.AbstractFileSystem.file.impl": "millrace.NativeFilesContext",
    }


def fingerprint(catalog: Catalog) -> str:
    """Changes with anything that a stream application is built from, so that an outdated driver can be told."""
    digest = hashlib.sha256()
    for path in _inputs(catalog):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def rotate(log: Path, keep: int = _KEPT_LOGS) -> None:
    """Move the log of the last run aside, keeping a few."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for number in range(keep - 1, -1, -1):
        older = log.with_name(f"{log.name}.{number}") if number else log
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))


def _inputs(catalog: Catalog) -> Iterator[Path]:
    for source in catalog.sources:
        yield from (source.folder / "source.yaml", source.folder / "event.avsc")
    yield from (m.path for m in (*catalog.realtime, *catalog.streams))
    for pattern in _CODE:
        yield from sorted(ROOT.glob(pattern))


def spark_home() -> Path:
    """Where PySpark keeps Spark's programs and jars; its import, which costs seconds, is not needed for that."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigError("pyspark is not installed in this environment; run `make up`")
    return Path(spec.origin).parent


def _jars(settings: Settings) -> list[str]:
    """On the class path of a local driver at once; shipped with the application where executors are elsewhere."""
    jars = [str(jar) for jar in spark_jars(settings)]
    if settings.stream_master.startswith("local"):
        return ["--driver-class-path", os.pathsep.join(jars)]
    return ["--jars", ",".join(jars)]


def inherited() -> dict[str, str]:
    """This process's environment, without what a parent or a session set for its own Spark or Airflow."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_PARENTS)}


def _environment(settings: Settings) -> dict[str, str]:
    """What the driver needs."""
    environment = inherited() | {f"{PREFIX}STATE_DIR": str(settings.state_dir)}
    if settings.stream_master.startswith("local"):
        environment["SPARK_LOCAL_IP"] = settings.host
    return environment | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}


def _spawn(command: list[str], log: Path, environment: dict[str, str]) -> int:
    """Start `command` in a session of its own, as a child of init: the shell between us and it ends at once."""
    script = f"setsid {shlex.join(command)} >>{shlex.quote(str(log))} 2>&1 </dev/null & echo $!"
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return int(done.stdout)
