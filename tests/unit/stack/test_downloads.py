"""The lock of the Java parts, and the Ivy files made from it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.local.ivy import MAVEN_NAMESPACE, Coordinates, ivy_module, parse_coordinates
from deploy.local.java_artifacts import LOCK, parse_lock, sha256_of, verify
from deploy.local.relock import PATTERN, ROOTS, _coordinates, parse_roots
from millrace.errors import MillraceError

PLAIN = "org.apache.kafka:kafka_2.13:4.3.1"
ARCHIVE = "io.apicurio:apicurio-registry-app:3.0.9:all@tar.gz"


@pytest.mark.parametrize("text", [PLAIN, ARCHIVE])
def test_coordinates_read_back(text: str) -> None:
    assert str(parse_coordinates(text)) == text


def test_files_are_named_as_in_mavens_repository() -> None:
    assert parse_coordinates(PLAIN).file == "kafka_2.13-4.3.1.jar"
    assert parse_coordinates(ARCHIVE).file == "apicurio-registry-app-3.0.9-all.tar.gz"


def test_the_lock_holds_every_root_and_a_checksum_for_each() -> None:
    artifacts = parse_lock(LOCK.read_text())
    held = {(artifact.bundle, artifact.coordinates) for artifact in artifacts}
    assert {(root.bundle, root.coordinates) for root in parse_roots(ROOTS.read_text())} <= held
    assert all(len(artifact.sha256) == 64 for artifact in artifacts)


def test_ivy_is_asked_for_files_alone_or_for_whole_trees() -> None:
    module = ET.fromstring(ivy_module([parse_coordinates(ARCHIVE)], [parse_coordinates(PLAIN)]))
    exact, tree = module.iter("dependency")
    assert (exact.get("transitive"), tree.get("transitive")) == ("false", "true")
    artifact = exact.find("artifact")
    assert artifact is not None
    assert artifact.get(f"{{{MAVEN_NAMESPACE}}}classifier") == "all"
    assert tree.find("artifact") is None


@pytest.mark.parametrize("text", [PLAIN, ARCHIVE])
def test_coordinates_come_back_from_the_path_that_ivy_made(text: str) -> None:
    c: Coordinates = parse_coordinates(text)
    words = {"organisation": c.organisation, "artifact": c.name, "revision": c.revision, "ext": c.extension}
    path = PATTERN.replace("([classifier])", c.classifier).replace(
        "(-[classifier])", f"-{c.classifier}" * bool(c.classifier)
    )
    for name, word in words.items():
        path = path.replace(f"[{name}]", word)
    assert _coordinates(Path(path)) == c


def test_a_wrong_checksum_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    path.write_bytes(b"not what was asked for")
    with pytest.raises(MillraceError, match="the lock file says 00"):
        verify(path, "00" * 32)
    assert not path.exists()


def test_a_right_checksum_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    path.write_bytes(b"right")
    verify(path, sha256_of(path))
    assert path.exists()
