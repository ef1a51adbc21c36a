"""docker-compose.airflow.yml: valid by the Compose specification, and in agreement with the code and the settings."""

import json
import os
import re
import shlex
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema import Draft7Validator

from deploy.local.java_artifacts import locked
from deploy.local.parts import all_parts
from deploy.local.stack import this_stack
from millrace import names
from millrace.settings import ROOT, read_settings

FILE = ROOT / "docker-compose.airflow.yml"
EXAMPLE = ROOT / ".env.example"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<op>:[-?])?(?P<word>[^}]*)\}")
SECRET = "secret0123456789"


@cache
def example() -> dict[str, str]:
    lines = (line.partition("=") for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def interpolated(text: str) -> str:
    """The text with its variables replaced as Compose does, given a filled-in .env."""
    return VARIABLE.sub(lambda m: example()[m["name"]] or SECRET, text).replace("$$", "$")


@cache
def raw() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text()))


@cache
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(interpolated(FILE.read_text())))


def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def our_services() -> dict[str, dict[str, Any]]:
    return {name: s for name, s in services().items() if "build" in s}


each_service = pytest.mark.parametrize("name", services())
each_of_ours = pytest.mark.parametrize("name", our_services())


def test_valid_by_the_compose_specification() -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    problems = [
        f"{'.'.join(map(str, e.path))}: {e.message}"
        for document in (raw(), compose())
        for e in Draft7Validator(json.loads(vendored.read_text())).iter_errors(document)
    ]
    assert problems == []


def test_the_example_names_each_variable_with_the_default_of_the_file() -> None:
    used = {m["name"]: m for m in VARIABLE.finditer(FILE.read_text())}
    assert used.keys() == example().keys()
    for name, match in used.items():
        default = match["word"] if match["op"] == ":-" else ""
        assert example()[name] == default, f"{name} differs between .env.example and the compose file"


def test_a_variable_without_default_is_required() -> None:
    assert all(m["op"] in (":-", ":?") for m in VARIABLE.finditer(FILE.read_text()))


def test_no_secret_stands_in_the_file() -> None:
    for name, service in raw()["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|ACCESS_KEY|_KEY$|ROOT_USER", key):
                assert VARIABLE.fullmatch(str(value)), f"{name}: {key} has a value of its own"
    assert all(not value for name, value in example().items() if re.search(r"PASSWORD|KEY", name))


@each_service
def test_images_are_pinned(name: str) -> None:
    tag = services()[name]["image"].partition(":")[2]
    assert re.search(r"\d", tag)


@each_service
def test_whoever_stays_has_a_health_check_and_whoever_ends_has_none(name: str) -> None:
    service = services()[name]
    assert ("healthcheck" in service) == (service["restart"] != "no")


@each_service
def test_dependencies_exist_and_can_come_true(name: str) -> None:
    for other, need in services()[name].get("depends_on", {}).items():
        stays = services()[other]["restart"] != "no"
        assert need["condition"] == ("service_healthy" if stays else "service_completed_successfully")


@each_service
def test_mounted_files_and_volumes_exist(name: str) -> None:
    for mount in services()[name].get("volumes", []):
        origin = mount.split(":")[0]
        if origin.startswith("."):
            assert (ROOT / origin).exists(), f"{name} mounts {origin}, which is not there"
        else:
            assert origin in compose()["volumes"]


def test_each_volume_is_used() -> None:
    used = {mount.split(":")[0] for service in services().values() for mount in service.get("volumes", [])}
    assert compose()["volumes"].keys() <= used


def test_no_two_services_take_the_same_port_of_the_host() -> None:
    ports = [port.split(":")[0] for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))


@each_of_ours
def test_the_image_is_built_from_what_is_there(name: str) -> None:
    dockerfile = ROOT / our_services()[name]["build"]["dockerfile"]
    words = [shlex.split(line) for line in dockerfile.read_text().splitlines() if line.startswith("COPY ")]
    origins = [origin for _, *paths, _target in words for origin in paths]
    assert "requirements.txt" in origins
    assert all((ROOT / origin).exists() for origin in origins)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not set(origins) & set(ignored)


def test_the_image_fetches_what_the_lock_file_names() -> None:
    dockerfile = (ROOT / "deploy" / "images" / "airflow" / "Dockerfile").read_text()
    bundles = re.findall(r"container fetch (\S+)", dockerfile)
    assert bundles == ["spark-jars", "engine", "s3"]
    assert all(locked(bundle) for bundle in bundles if bundle != "engine")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The process environment that a service of ours would have."""
    for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
        monkeypatch.delenv(name)
    for key, value in our_services()[request.getfixturevalue("name")]["environment"].items():
        monkeypatch.setenv(key, str(value))
    monkeypatch.setenv("MILLRACE_STATE_DIR", str(tmp_path))


@each_of_ours
@pytest.mark.usefixtures("environment")
def test_the_settings_are_valid_and_point_at_services(name: str) -> None:
    settings = read_settings()
    kafka, _, port = settings.kafka_bootstrap.partition(":")
    assert f"PLAINTEXT://{kafka}:{port}" in services()[kafka]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    for url in (settings.registry_url, settings.airflow_url, settings.spark_connect_url):
        address = urlparse(url)
        assert any(p.endswith(f":{address.port}") for p in services()[str(address.hostname)]["ports"]), url
    for host, port_number in (
        (settings.clickhouse_host, settings.clickhouse_http_port),
        (settings.postgres_host, settings.postgres_port),
    ):
        assert any(p.endswith(f":{port_number}") for p in services()[host]["ports"]), host
    assert settings.stream_master == settings.connect_master == f"spark://spark-master:{master_port()}"
    assert urlparse(settings.spark_conf["spark.hadoop.fs.s3a.endpoint"]).hostname in services()
    assert settings.lake.startswith("s3a://millrace/")
    assert "store/millrace" in services()["minio-bucket"]["command"][0]


def master_port() -> str:
    return next(w.partition("=")[2] for w in services()["spark-master"]["command"] if w.startswith("--port="))


@each_of_ours
@pytest.mark.usefixtures("environment")
def test_commands_and_health_checks_name_entry_points_that_exist(name: str) -> None:
    service = our_services()[name]
    for words in (service["command"], service.get("healthcheck", {}).get("test", [])[1:]):
        if words[:2] != ["python", "-m"]:
            continue
        assert find_spec(words[2]) is not None
        if words[2] == "deploy.images.container" and words[3] != "setup":
            assert words[3] in ("run", "healthy")
            assert words[4] == name
            assert name in {part.name for part in all_parts(this_stack(read_settings(), {}))}


def test_spark_classes_come_from_the_installed_pyspark() -> None:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.submodule_search_locations
    assert (Path(spec.submodule_search_locations[0]) / "bin" / "spark-class").exists()
    dockerfile = (ROOT / "deploy" / "images" / "airflow" / "Dockerfile").read_text()
    for name in ("spark-master", "spark-worker"):
        home = services()[name]["command"][0].removesuffix("/bin/spark-class")
        assert f"SPARK_HOME={home}" in dockerfile


def test_clickhouse_users_take_their_passwords_from_the_environment() -> None:
    users = ET.parse(ROOT / "clickhouse" / "server" / "users.xml").getroot()
    variables = {node.attrib["from_env"] for node in users.iter("password")}
    assert variables <= services()["clickhouse"]["environment"].keys()
    grants = {node.text for node in users.iter("query")}
    assert grants == {f"GRANT SELECT ON {db}.*" for db in (names.LIVE, names.REALTIME, names.GOLD, names.OPS)}


def test_databases_are_those_that_the_services_log_in_to() -> None:
    made = set(re.findall(r"CREATE DATABASE (\w+)", (ROOT / "deploy/images/postgres/databases.sql").read_text()))
    assert made == {"airflow", "registry"}
    assert services()["registry"]["environment"]["APICURIO_DATASOURCE_URL"].endswith("/registry")
    assert services()["postgres"]["environment"]["POSTGRES_DB"] == "millrace"
