"""The Kafka broker: one node in KRaft's combined mode."""

import subprocess
from pathlib import Path

from confluent_kafka.admin import AdminClient

from deploy.local.stack import Part, Stack, java, write_file
from millrace.kafka import client_settings
from millrace.settings import Settings

BUNDLE = "kafka"
HEAP = "512m"

LOG_CONFIG = """<Configuration status="warn">
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %c{1}: %m%n"/></Console></Appenders>
  <Loggers><Root level="info"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"""


def server_properties(host: str, port: int, controller_port: int, data: Path) -> str:
    """The broker's configuration. Replication is 1 because there is one broker; topics are made by `deploy` only."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{host}:{controller_port}",
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def kafka_broker(stack: Stack) -> Part:
    s = stack.settings
    data, conf = stack.state / "kafka", stack.conf / "kafka"
    classpath = stack.downloads / BUNDLE / "*"
    properties = conf / "server.properties"

    def prepare() -> None:
        write_file(conf / "log4j2.xml", LOG_CONFIG)
        write_file(properties, server_properties(s.host, s.kafka_port, s.kafka_controller_port, data))
        if not (data / "meta.properties").exists():
            _format(classpath, properties)

    return Part(
        name="kafka",
        address=s.kafka_bootstrap,
        command=(
            java(),
            f"-Xmx{HEAP}",
            "-XX:+UseG1GC",
            f"-Dlog4j2.configurationFile={conf / 'log4j2.xml'}",
            "-cp",
            str(classpath),
            "kafka.Kafka",
            str(properties),
        ),
        ports={"kafka_port": s.kafka_port, "kafka_controller_port": s.kafka_controller_port},
        downloads=(BUNDLE,),
        external="kafka_bootstrap" if stack.is_external("kafka_bootstrap") else "",
        prepare=prepare,
        check=lambda: check(s),
        stop_seconds=20,
    )


def check(settings: Settings) -> None:
    """Ask the cluster for its metadata, which only a broker that is up and registered gives."""
    client = AdminClient(client_settings(settings) | {"log_level": 0}, logger=None)
    if not client.list_topics(timeout=3).brokers:
        raise ConnectionError("the broker has not registered yet")


def _format(classpath: Path, properties: Path) -> None:
    """Give an empty data folder its cluster id; `--ignore-formatted` leaves one alone that has it."""
    tool = [java(), "-Xmx128m", "-cp", str(classpath), "kafka.tools.StorageTool"]
    cluster_id = subprocess.run([*tool, "random-uuid"], capture_output=True, text=True, check=True).stdout.split()[-1]
    options = ["format", "--ignore-formatted", "-t", cluster_id, "-c", str(properties)]
    subprocess.run([*tool, *options], capture_output=True, check=True)
