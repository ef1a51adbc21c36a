"""The Java parts: what the lock file names, and the Apache Ivy files that fetch exactly that."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.local.stack import java
from millrace.errors import MillraceError, TransientError

LOCK = Path(__file__).with_name("java.lock")
MAVEN_NAMESPACE = "http://ant.apache.org/ivy/maven"
RETRIEVE_PATTERN = "[artifact]-[revision](-[classifier]).[ext]"

# Without POMs Ivy asks for exactly the locked files: 17 s for all, where resolving Kafka's tree alone took 57 s.
IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="maven"/>
  <caches defaultCacheDir="{cache}"/>
  <resolvers><ibiblio name="maven" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True)
class Artifact:
    """One line of the lock file: which bundle it belongs to, its Maven coordinates, its SHA-256."""

    bundle: str
    organisation: str
    name: str
    revision: str
    classifier: str
    extension: str
    sha256: str

    @property
    def file(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.revision}{classifier}.{self.extension}"


def parse_lock(text: str) -> tuple[Artifact, ...]:
    """Lines of `bundle organisation:name:revision[:classifier][@extension] sha256`; `#` starts a comment."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(_artifact(bundle, coordinates, sha256) for bundle, coordinates, sha256 in lines)


def _artifact(bundle: str, coordinates: str, sha256: str) -> Artifact:
    path, _, extension = coordinates.partition("@")
    organisation, name, revision, *classifier = path.split(":")
    return Artifact(bundle, organisation, name, revision, "".join(classifier), extension or "jar", sha256)


def locked(bundle: str) -> tuple[Artifact, ...]:
    return tuple(a for a in parse_lock(LOCK.read_text()) if a.bundle == bundle)


def ivy_module(bundle: str, artifacts: Iterable[Artifact]) -> str:
    """The ivy.xml that names each artifact and none of their dependencies."""
    ET.register_namespace("m", MAVEN_NAMESPACE)
    module = ET.Element("ivy-module", version="2.0")
    ET.SubElement(module, "info", organisation="millrace", module=bundle)
    dependencies = ET.SubElement(module, "dependencies")
    for a in artifacts:
        node = ET.SubElement(
            dependencies, "dependency", org=a.organisation, name=a.name, rev=a.revision, transitive="false"
        )
        attributes = {"name": a.name, "type": "jar", "ext": a.extension}
        if a.classifier:
            attributes[f"{{{MAVEN_NAMESPACE}}}classifier"] = a.classifier
        ET.SubElement(node, "artifact", attributes)
    return ET.tostring(module, encoding="unicode")


def fetch_java(bundle: str, folder: Path) -> None:
    """Bring a bundle's files into `folder`, each checked against the lock; archives are unpacked beside them."""
    artifacts = locked(bundle)
    missing = [a for a in artifacts if not (folder / a.file).exists()]
    if missing:
        _run_ivy(bundle, missing, folder)
    for artifact in artifacts:
        verify(folder / artifact.file, artifact.sha256)
    for artifact in artifacts:
        if artifact.extension == "tar.gz":
            with tarfile.open(folder / artifact.file) as archive:
                archive.extractall(folder, filter="data")


def verify(path: Path, sha256: str) -> None:
    """Delete the file and raise MillraceError when its checksum is not the locked one."""
    with path.open("rb") as opened:
        found = file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        path.unlink()
        raise MillraceError(f"{path}: checksum is {found}, the lock file says {sha256}; the file was deleted")


def _run_ivy(bundle: str, artifacts: list[Artifact], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        module, settings = Path(scratch, "ivy.xml"), Path(scratch, "ivysettings.xml")
        module.write_text(ivy_module(bundle, artifacts))
        settings.write_text(IVY_SETTINGS.format(cache=Path(scratch, "cache")))
        command = [java(), "-Xmx256m", "-cp", _ivy_classpath(), "org.apache.ivy.Main"]
        options = ["-settings", settings, "-ivy", module, "-retrieve", folder / RETRIEVE_PATTERN]
        done = subprocess.run([*command, *map(str, options)], capture_output=True, text=True, check=False)
    absent = [a.file for a in artifacts if not (folder / a.file).exists()]
    if done.returncode != 0 or absent:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise TransientError(f"could not download {', '.join(absent) or bundle}; Ivy said:\n{tail}")


def _ivy_classpath() -> str:
    """Ivy and the option parser it needs, as PySpark carries them."""
    spec = find_spec("pyspark")
    jars = Path(spec.submodule_search_locations[0], "jars") if spec and spec.submodule_search_locations else Path()
    return ":".join(str(path) for pattern in ("ivy-*.jar", "commons-cli-*.jar") for path in sorted(jars.glob(pattern)))
