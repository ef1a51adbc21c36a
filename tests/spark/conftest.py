"""One Spark Connect session for all tests that need the engine, and a lake of one's own for each."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from deploy.local import downloads
from millrace.contracts.catalog import read_catalog
from millrace.launch import AVRO_LIMITS, spark_jars
from millrace.settings import read_settings
from spark_jobs.edges.conf import spark_conf
from tests.spark.tiny_lake import TinyLake


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    settings = read_settings()
    downloads.ensure(downloads.ENGINE, settings.downloads)
    # PySpark then takes a free port: 15002 may be that of a stack that runs here.
    os.environ["SPARK_TESTING"] = "1"
    builder = SparkSession.builder.remote("local[2]")
    # Rows are few: compiling code for them would cost more than it saves.
    own = {
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC {AVRO_LIMITS}",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
    jars = {"spark.jars": ",".join(map(str, spark_jars(settings)))}
    for key, value in (spark_conf(settings) | own | jars).items():
        builder = builder.config(key, value)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # what the server has, it cannot be told again
        session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyLake:
    """An empty lake; what steps tell ClickHouse and the gates is kept in the object."""
    settings = read_settings().model_copy(
        update={"lake": str(tmp_path / "lake"), "pseudonym_key": SecretStr("a key for tests")}
    )
    lake = TinyLake(spark, settings, read_catalog(settings.project_dir))
    monkeypatch.setattr("spark_jobs.silver.index_rejected", lambda _, source, rows: lake.indexed.append(rows.count()))
    monkeypatch.setattr(
        "spark_jobs.gold.audit", lambda run, layer, table, rows: lake.audited.append(f"{layer}.{table}")
    )
    return lake
