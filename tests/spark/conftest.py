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
from millrace.contracts.source import Source
from millrace.launch import AVRO_LIMITS, spark_jars
from millrace.settings import ROOT, read_settings
from spark_jobs.edges.conf import spark_conf
from tests.spark.sources import source_with
from tests.spark.tiny_lake import TinyLake

COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "CODEGEN_ONLY",
    "spark.sql.adaptive.enabled": "false",
}


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
        # A lake for each test, and two megabytes of plans for each of its tables: nobody comes back to them.
        "spark.databricks.delta.delta.log.cacheSize": "30",
        "spark.driver.extraJavaOptions": f"-XX:+UseSerialGC {AVRO_LIMITS}",
        "spark.ui.enabled": "false",
        # Otherwise tables as small as these would be read whole.
        "spark.millrace.scans.wholeBytes": "0",
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


@pytest.fixture
def compiling(spark: SparkSession) -> Iterator[SparkSession]:
    before = {name: spark.conf.get(name, None) for name in COMPILED}
    for name, value in COMPILED.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.set(name, value) if value is not None else spark.conf.unset(name)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A contract with a field of every type."""
    kinds = {
        "n": "int", "big": "long", "real": "float", "precise": "double", "yes": "boolean", "blob": "bytes",
        "price": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        "day": {"type": "int", "logicalType": "date"}, "note": "string",
        "counts": {"type": "array", "items": "int"}, "scores": {"type": "map", "values": "double"},
        "inside": {"type": "record", "name": "Inside", "fields": [
            {"name": "x", "type": "int"},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        ]},
    }  # fmt: skip
    fields = [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ]
    fields += [{"name": name, "type": ["null", kind], "default": None} for name, kind in kinds.items()]
    return source_with(tmp_path_factory.mktemp("lab"), "wide", fields)


@pytest.fixture(scope="session")
def user_events() -> Source:
    return read_catalog(ROOT).source("user_events")
