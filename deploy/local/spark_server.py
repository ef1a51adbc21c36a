"""The Spark Connect server: the one long-lived Spark application in which all batch work runs."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.downloads import ENGINE, SPARK_JARS
from deploy.local.stack import Part, Stack, write_file
from millrace.launch import AVRO_LIMITS, JVM_OPTIONS, local_files, spark_home, spark_jars
from spark_jobs.edges.conf import spark_conf

DEFAULT_PORT = 15002
MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"

COLLECTOR = "-XX:+UseParallelGC"
"""Batch work can wait for a pause. Java's usual collector marks beside the work, nearly always in a heap that large
buffers fill: a tenth of the processor time."""

LOG_CONFIG = """rootLogger.level = warn
rootLogger.appenderRef.stdout.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss} %p %c{1}: %m%n%ex
logger.connect.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.connect.level = info
"""


def server_conf(stack: Stack, log_config: Path) -> dict[str, str]:
    """Spark's properties for the server: what every session has, and its own address, memory and folders."""
    s = stack.settings
    shared = spark_conf(s)
    logging = f"-Dlog4j2.configurationFile={log_config}"
    theirs = {jvm: shared.get(f"spark.{jvm}.extraJavaOptions", "") for jvm in ("driver", "executor")}
    jars = [str(jar) for jar in spark_jars(s)]
    local = s.connect_master.startswith("local")
    return (
        local_files(s)
        | shared
        | {
            "spark.driver.extraClassPath" if local else "spark.jars": (os.pathsep if local else ",").join(jars),
            "spark.app.name": "millrace-connect",
            "spark.master": s.connect_master,
            "spark.driver.memory": s.connect_memory,
            "spark.driver.extraJavaOptions": (
                f"{theirs['driver']} {JVM_OPTIONS} {COLLECTOR} {AVRO_LIMITS} {logging}".strip()
            ),
            "spark.executor.extraJavaOptions": f"{theirs['executor']} {AVRO_LIMITS}".strip(),
            "spark.driver.host": s.host,
            "spark.driver.bindAddress": s.host,
            "spark.connect.grpc.binding.address": s.host,
            "spark.connect.grpc.binding.port": str(s.spark_connect_port),
            "spark.connect.session.manager.defaultSessionTimeout": "30m",
            "spark.ui.port": str(s.spark_ui_port),
            "spark.local.dir": str(stack.state / "spark"),
            "spark.sql.warehouse.dir": str(stack.state / "spark" / "warehouse"),
            "spark.scheduler.mode": "FAIR",
        }
    )


def properties(conf: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(conf.items()))


def spark_server(stack: Stack) -> Part:
    s, conf = stack.settings, stack.conf / "spark"
    log_config = conf / "log4j2.properties"

    def prepare() -> None:
        write_file(log_config, LOG_CONFIG)
        write_file(conf / "connect.conf", properties(server_conf(stack, log_config)), mode=0o600)
        (stack.state / "spark").mkdir(parents=True, exist_ok=True)

    return Part(
        name="spark-connect",
        address=s.spark_connect_url,
        command=(
            str(spark_home() / "bin" / "spark-submit"),
            "--class",
            MAIN,
            "--properties-file",
            str(conf / "connect.conf"),
        ),
        ports={"spark_connect_port": s.spark_connect_port},
        env={"SPARK_HOME": str(spark_home()), "SPARK_LOCAL_IP": s.host},
        downloads=(ENGINE, SPARK_JARS),
        external="spark_connect_url" if stack.is_external("spark_connect_url") else "",
        prepare=prepare,
        check=lambda: check(s.spark_connect_url),
        deadline=300.0,
        stop_seconds=30,
        behind=True,
    )


def check(url: str) -> None:
    """Have the server run a query. The port is tried first: Spark's client would retry a refused one for minutes."""
    from pyspark.sql.connect.session import SparkSession  # pyspark's import costs seconds; only this check pays it

    address = urlsplit(url)
    socket.create_connection((address.hostname, address.port or DEFAULT_PORT), timeout=3).close()
    session = SparkSession.builder.remote(url).create()
    session.client.set_retry_policies([])
    try:
        session.sql("SELECT 1").collect()
    finally:
        session.stop()
