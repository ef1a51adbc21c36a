"""How clients reach Kafka: where it is, how the connection is secured, and who they are."""

from millrace.settings import Settings

LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def client_settings(settings: Settings) -> dict[str, str]:
    """What every client of librdkafka begins with; holds a secret, so never log it."""
    found = {"bootstrap.servers": settings.kafka_bootstrap, "security.protocol": settings.kafka_security}
    if settings.kafka_ca:
        found["ssl.ca.location"] = settings.kafka_ca
    if "SASL" in settings.kafka_security:
        found["sasl.mechanism"] = settings.kafka_sasl_mechanism
        found["sasl.username"] = settings.kafka_user
        found["sasl.password"] = settings.kafka_password.get_secret_value()
    return found


def spark_options(settings: Settings) -> dict[str, str]:
    """The same for Spark's Kafka source, which hands on to Java's client what begins with `kafka.`."""
    found = {"kafka.bootstrap.servers": settings.kafka_bootstrap, "kafka.security.protocol": settings.kafka_security}
    if settings.kafka_ca:
        found |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": settings.kafka_ca}
    if "SASL" in settings.kafka_security:
        found |= {"kafka.sasl.mechanism": settings.kafka_sasl_mechanism, "kafka.sasl.jaas.config": _jaas(settings)}
    return found


def _jaas(settings: Settings) -> str:
    user, password = _quoted(settings.kafka_user), _quoted(settings.kafka_password.get_secret_value())
    return f"{LOGIN_MODULES[settings.kafka_sasl_mechanism]} required username={user} password={password};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
