"""The schema registry: Apicurio, by its Confluent-compatible API, with its rows in a file of its own."""

import requests

from deploy.local.stack import Part, Stack, java

BUNDLE = "registry"
RUNNER = "apicurio-registry-app-3.0.9-runner.jar"
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A schema is asked for once per producer: a quick start is worth more than peak speed."""


def registry_server(stack: Stack) -> Part:
    s = stack.settings
    return Part(
        name="registry",
        address=s.registry_url,
        command=(java(), *JVM, "-jar", str(stack.downloads / BUNDLE / RUNNER)),
        ports={"registry_port": s.registry_port},
        env={
            "QUARKUS_HTTP_HOST": s.host,
            "QUARKUS_HTTP_PORT": str(s.registry_port),
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{stack.state / 'registry' / 'registry'};DB_CLOSE_ON_EXIT=FALSE",
            "QUARKUS_LOG_LEVEL": "WARN",
        },
        downloads=(BUNDLE,),
        external="registry_url" if stack.is_external("registry_url") else "",
        prepare=lambda: (stack.state / "registry").mkdir(parents=True, exist_ok=True),
        check=lambda: check(s.registry_url),
    )


def check(url: str) -> None:
    """List the subjects, as a serializer would."""
    requests.get(f"{url}/subjects", timeout=3).raise_for_status()
