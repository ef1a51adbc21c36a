"""What the stack writes for its parts: pure functions from settings to text."""

import configparser
import json
import stat
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr
from supervisor.datatypes import dict_of_key_value_pairs

from deploy.local import (
    airflow_services,
    clickhouse_server,
    embedded_clickhouse,
    engine_jar,
    kafka_broker,
    spark_server,
)
from deploy.local.credentials import NAMES, ensure_secrets
from deploy.local.part_process import MARK, unpack
from deploy.local.parts import all_parts
from deploy.local.stack import Stack, this_stack
from deploy.local.supervision import inherited
from deploy.local.supervisor_config import supervisor_config
from millrace.launch import AVRO_LIMITS
from millrace.settings import Settings, secrets_file


def make_stack(state: Path, **given: str) -> Stack:
    settings = Settings(
        state_dir=state, port_offset=0, postgres_password=SecretStr("p%w"), clickhouse_password=SecretStr("open")
    )
    return this_stack(settings, given)


def section(text: str, name: str) -> dict[str, str]:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(text)
    return dict(config[name])


def test_each_part_is_a_program_that_nothing_starts_by_itself(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    text = supervisor_config(stack, all_parts(stack), tmp_path)
    for part in all_parts(stack):
        program = section(text, f"program:{part.name}")
        assert program["autostart"] == "false"
        assert f'{MARK}="{tmp_path}"' in program["environment"]


def test_a_part_of_the_users_own_is_not_started(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, MILLRACE_KAFKA_BOOTSTRAP="kafka.example:9092")
    kafka = next(part for part in all_parts(stack) if part.name == "kafka")
    assert kafka.external == "kafka_bootstrap"
    assert "program:kafka" not in supervisor_config(stack, all_parts(stack), tmp_path)


def test_any_value_survives_the_supervisors_syntax(tmp_path: Path) -> None:
    given = {"MILLRACE_STREAM_CONF": '{"spark.x": "50%"}', "MILLRACE_A": "'", "MILLRACE_B": "a, \\n b=c%"}
    stack = make_stack(tmp_path, **given)
    program = section(supervisor_config(stack, all_parts(stack), tmp_path), "program:kafka")
    found = dict_of_key_value_pairs(program["environment"] % {})  # as supervisord reads it
    unpack(found)
    assert {name: found[name] for name in given} == given


def test_a_part_starts_anew_once_its_jars_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Connect server of before an upgrade lacks what batch steps ask of the engine since."""
    stack = make_stack(tmp_path)
    before = supervisor_config(stack, all_parts(stack), tmp_path)
    (tmp_path / "Upgraded.scala").write_text("object Upgraded")
    monkeypatch.setattr(engine_jar, "SOURCES", [tmp_path / "Upgraded.scala"])
    after = supervisor_config(stack, all_parts(stack), tmp_path)
    names = [f"program:{part.name}" for part in all_parts(stack)]
    assert [name for name in names if section(before, name) != section(after, name)] == ["program:spark-connect"]


def test_no_secret_is_in_the_supervisors_configuration(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    assert "p%w" not in supervisor_config(stack, all_parts(stack), tmp_path).replace("%%", "%")


def test_parts_need_parts_that_exist(tmp_path: Path) -> None:
    parts = all_parts(make_stack(tmp_path))
    known = {part.name for part in parts} | {"deploy"}
    assert {need for part in parts for need in part.needs} <= known


def test_two_stacks_share_no_port() -> None:
    one, other = Settings(port_offset=0), Settings(port_offset=10_000)
    ports = {p for s in (one, other) for part in all_parts(this_stack(s, {})) for p in part.ports.values()}
    assert len(ports) == 2 * sum(len(part.ports) for part in all_parts(this_stack(one, {})))


def test_long_folders_keep_their_socket_short(tmp_path: Path) -> None:
    stack = make_stack(tmp_path / ("deep" * 30))
    assert len(str(stack.socket)) < 108
    assert stack.socket == make_stack(tmp_path / ("deep" * 30)).socket


def test_kafka_makes_no_topic_by_itself() -> None:
    text = kafka_broker.server_properties("127.0.0.1", 9092, 9093, Path("/data"))
    assert "auto.create.topics.enable=false\n" in text
    assert "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n" in text


def test_clickhouse_knows_passwords_only_by_their_hash(tmp_path: Path) -> None:
    users = ET.fromstring(clickhouse_server.users_config(make_stack(tmp_path).settings)).find("users")
    assert users is not None
    assert users.findtext("millrace/password_sha256_hex", "").startswith("2348f998")  # sha256 of "open"
    assert next(grant.text for grant in users.iter("query")) == "GRANT SYSTEM LISTEN ON *.*"
    assert users.findtext("dashboard/profile") == "readonly"


def test_the_embedded_server_gets_its_folder_and_ports(tmp_path: Path) -> None:
    config = tmp_path / "config.xml"
    settings = make_stack(tmp_path).settings
    config.write_text(clickhouse_server.server_config(settings, tmp_path / "a & b", tmp_path / "users.xml"))
    words = embedded_clickhouse.arguments(str(config))
    assert words[words.index("--path") + 1] == f"{tmp_path}/a & b/"
    assert words[words.index("--tcp_port") + 1] == "9000"


def test_airflow_reads_back_what_was_written(tmp_path: Path) -> None:
    keys = {"fernet_key": "f", "api_secret_key": "a", "jwt_secret": "j"}
    text = airflow_services.airflow_config(make_stack(tmp_path).settings, tmp_path, keys)
    assert section(text, "core")["execution_api_server_url"] == "http://127.0.0.1:8888/execution/"
    assert section(text, "core")["executor"] == "LocalExecutor"


def test_passwords_keep_their_special_characters_on_the_way_to_airflow(tmp_path: Path) -> None:
    keys = {"fernet_key": "f", "api_secret_key": "a", "jwt_secret": "j"}
    text = airflow_services.airflow_config(make_stack(tmp_path).settings, tmp_path, keys)
    assert "millrace:p%%25w@127.0.0.1:5432/airflow" in section(text, "database")["sql_alchemy_conn"]


def test_spark_properties_hold_one_setting_a_line() -> None:
    assert spark_server.properties({"b": "2", "a": "1 x"}) == "a 1 x\nb 2\n"


def test_no_broken_record_ends_the_connect_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor its executors, whatever options they are given besides: Avro believes no length that a record announces."""
    monkeypatch.setattr(spark_server, "spark_jars", lambda _: [])
    stack = make_stack(tmp_path)
    options = {f"spark.{jvm}.extraJavaOptions": f"-Dx={jvm}" for jvm in ("driver", "executor")}
    stack = replace(stack, settings=stack.settings.model_copy(update={"spark_conf": options}))
    conf = spark_server.server_conf(stack, tmp_path / "log4j2.properties")
    for jvm in ("driver", "executor"):
        given = conf[f"spark.{jvm}.extraJavaOptions"].split()
        assert {f"-Dx={jvm}", *AVRO_LIMITS.split()} <= set(given)


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    first = secrets_file(tmp_path).read_text()
    ensure_secrets(tmp_path)
    assert secrets_file(tmp_path).read_text() == first
    assert len(first.splitlines()) == len(NAMES)
    assert stat.S_IMODE(secrets_file(tmp_path).stat().st_mode) == 0o600


def test_a_new_kind_of_secret_is_added_to_the_old_ones(tmp_path: Path) -> None:
    secrets_file(tmp_path).write_text("MILLRACE_PSEUDONYM_KEY=keep\n")
    ensure_secrets(tmp_path)
    assert secrets_file(tmp_path).read_text().startswith("MILLRACE_PSEUDONYM_KEY=keep\n")
    assert len(secrets_file(tmp_path).read_text().splitlines()) == len(NAMES)


def test_airflows_keys_stay(tmp_path: Path) -> None:
    keys = airflow_services._keys(tmp_path / "keys.json")
    assert airflow_services._keys(tmp_path / "keys.json") == keys == json.loads((tmp_path / "keys.json").read_text())


@pytest.mark.parametrize("rate", ["0", "-1"])
def test_no_rate_no_simulator(tmp_path: Path, rate: str) -> None:
    stack = this_stack(Settings(state_dir=tmp_path, simulator_rate=float(rate)), {})
    assert not [part for part in all_parts(stack) if part.name.startswith("simulator-")]


def test_the_parts_inherit_no_other_airflow() -> None:
    shell = {"PATH": "/bin", "JAVA_HOME": "/java", "AIRFLOW_HOME": "/mine", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "x"}
    assert inherited(shell) == {"PATH": "/bin", "JAVA_HOME": "/java"}
