"""A Kafka broker that speaks TLS with a certificate of its own, and asks who is there."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException

from deploy.local import downloads
from deploy.local.kafka_broker import BUNDLE, check, server_properties
from deploy.local.stack import java
from millrace.kafka import LOGIN_MODULES
from millrace.settings import Settings
from tests.certificate import write_certificate
from tests.services.platform import await_that

HOST, USER = "127.0.0.1", "mill"
PASSWORD, QUOTED = r'sl"ui\ce', r'"sl\"ui\\ce"'


@contextmanager
def secured_broker(settings: Settings, folder: Path) -> Iterator[Settings]:
    """Settings with which clients get in; without the certificate or the password they do not."""
    downloads.ensure(BUNDLE, settings.downloads)
    classpath, properties, authority = (
        settings.downloads / BUNDLE / "*",
        folder / "server.properties",
        folder / "ca.pem",
    )
    port, controller = _free_ports(2)
    write_certificate(folder / "broker.pem", authority)
    properties.write_text(_properties(port, controller, folder))
    tool = [java(), "-Xmx128m", "-cp", str(classpath), "kafka.tools.StorageTool", "format", "-c", str(properties)]
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    subprocess.run([*tool, "-t", "MkU3OEVBNTcwNTJENDM2Qg", "--add-scram", scram], check=True, capture_output=True)
    reached = settings.model_copy(
        update={
            "kafka_bootstrap": f"{HOST}:{port}",
            "kafka_security": "SASL_SSL",
            "kafka_sasl_mechanism": "PLAIN",
            "kafka_user": USER,
            "kafka_password": type(settings.kafka_password)(PASSWORD),
            "kafka_ca": str(authority),
        }
    )
    log = (folder / "broker.log").open("w")
    command = [java(), "-Xmx256m", "-XX:+UseSerialGC", "-cp", str(classpath), "kafka.Kafka", str(properties)]
    broker = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_that(lambda: _answers(reached), "the secured broker", 60)
        yield reached
    finally:
        broker.terminate()
        broker.wait(30)
        log.close()


def _answers(settings: Settings) -> bool:
    try:
        check(settings)
    except (KafkaException, ConnectionError):
        return False
    return True


def _properties(port: int, controller: int, folder: Path) -> str:
    plain = f"{LOGIN_MODULES['PLAIN']} required username={USER} password={QUOTED} user_{USER}={QUOTED};"
    own = {
        "listeners": f"SECURED://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"SECURED://{HOST}:{port}",
        "inter.broker.listener.name": "SECURED",
        "listener.security.protocol.map": "SECURED:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": plain,
        "listener.name.secured.scram-sha-512.sasl.jaas.config": f"{LOGIN_MODULES['SCRAM-SHA-512']} required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": folder / "broker.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": folder / "ca.pem",
    }
    lines = "".join(f"{key}={str(value).replace(chr(92), chr(92) * 2)}\n" for key, value in own.items())
    return server_properties(HOST, port, controller, folder / "data") + lines


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for each in sockets:
        each.close()
    return ports
