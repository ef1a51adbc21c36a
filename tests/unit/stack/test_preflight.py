"""Problems are named before anything starts."""

import socket
from pathlib import Path

import pytest

from deploy.local.preflight import FREE_DISK, check_machine, disk_problems, java_major, memory_problems
from deploy.local.stack import Part, this_stack
from millrace.errors import ConfigError
from millrace.settings import Settings


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "25"', 25),
        ("?", 0),
    ],
)
def test_java_tells_its_version(text: str, major: int) -> None:
    assert java_major(text) == major


def test_a_full_disk_is_named_with_what_to_do() -> None:
    assert disk_problems(FREE_DISK, "/here") == []
    assert disk_problems(1_500_000_000, "/here") == [
        "1.5 GB are free under /here, 4 GB are needed: make room, or set MILLRACE_STATE_DIR to a folder on another disk"
    ]


def test_little_memory_is_named() -> None:
    assert "2.0 GB of memory are free" in memory_problems(2_000_000_000)[0]


def test_a_taken_port_is_named_with_its_holder_and_its_setting(tmp_path: Path) -> None:
    stack = this_stack(Settings(state_dir=tmp_path), {})
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        part = Part("kafka", "", (), lambda: None, ports={"kafka_port": port})
        with pytest.raises(ConfigError, match=rf"port {port} of kafka is taken.*MILLRACE_KAFKA_PORT"):
            check_machine(stack, [part])


def test_a_service_of_the_users_own_may_hold_its_port(tmp_path: Path) -> None:
    stack = this_stack(Settings(state_dir=tmp_path), {})
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ports = {"kafka_port": holder.getsockname()[1]}
        check_machine(stack, [Part("kafka", "", (), lambda: None, ports=ports, external="kafka_bootstrap")])
