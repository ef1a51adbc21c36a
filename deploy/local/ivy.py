"""Apache Ivy, which lies in PySpark: brings Java artifacts from Maven's repository with no Maven installed."""

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from deploy.local.stack import java
from millrace.launch import spark_home

MAVEN_NAMESPACE = "http://ant.apache.org/ivy/maven"

SETTINGS = """<ivysettings>
  <settings defaultResolver="maven"/>
  <caches defaultCacheDir="{cache}"/>
  <resolvers><ibiblio name="maven" m2compatible="true" usepoms="{poms}"/></resolvers>
</ivysettings>
"""


@dataclass(frozen=True)
class Coordinates:
    """What Maven calls a file: `organisation:name:revision[:classifier][@extension]`."""

    organisation: str
    name: str
    revision: str
    classifier: str = ""
    extension: str = "jar"

    @property
    def file(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.revision}{classifier}.{self.extension}"

    def __str__(self) -> str:
        classifier = f":{self.classifier}" if self.classifier else ""
        extension = "" if self.extension == "jar" else f"@{self.extension}"
        return f"{self.organisation}:{self.name}:{self.revision}{classifier}{extension}"


def parse_coordinates(text: str) -> Coordinates:
    path, _, extension = text.partition("@")
    organisation, name, revision, *classifier = path.split(":")
    return Coordinates(organisation, name, revision, "".join(classifier), extension or "jar")


def ivy_module(exact: Iterable[Coordinates], trees: Iterable[Coordinates] = ()) -> str:
    """The ivy.xml that asks for these files and no dependencies of theirs, and for these with all that they need."""
    ET.register_namespace("m", MAVEN_NAMESPACE)
    module = ET.Element("ivy-module", version="2.0")
    ET.SubElement(module, "info", organisation="millrace", module="stack")
    ET.SubElement(ET.SubElement(module, "configurations"), "conf", name="default")
    dependencies = ET.SubElement(module, "dependencies")
    for c in exact:
        _file(_dependency(dependencies, c, transitive="false"), c)
    for c in trees:
        _dependency(dependencies, c, transitive="true")
    return ET.tostring(module, encoding="unicode")


def _dependency(parent: ET.Element, c: Coordinates, transitive: str) -> ET.Element:
    where = {"org": c.organisation, "name": c.name, "rev": c.revision, "conf": "default->default"}
    return ET.SubElement(parent, "dependency", where, transitive=transitive)


def _file(dependency: ET.Element, c: Coordinates) -> None:
    attributes = {"name": c.name, "type": "jar", "ext": c.extension}
    if c.classifier:
        attributes[f"{{{MAVEN_NAMESPACE}}}classifier"] = c.classifier
    ET.SubElement(dependency, "artifact", attributes)


def retrieve(module: str, pattern: str, *, poms: bool) -> str:
    """Fetch what a module asks for into files named by an Ivy pattern; gives what Ivy said.

    Without POMs Ivy looks up nothing but the files: 17 s for the whole stack, where Kafka's tree alone takes 57 s.
    """
    with tempfile.TemporaryDirectory() as scratch:
        ivy_file, settings = Path(scratch, "ivy.xml"), Path(scratch, "ivysettings.xml")
        ivy_file.write_text(module)
        settings.write_text(SETTINGS.format(cache=Path(scratch, "cache"), poms=str(poms).lower()))
        options = ["-settings", str(settings), "-ivy", str(ivy_file), "-types", "jar", "bundle"]
        command = [java(), "-Xmx256m", "-cp", _classpath(), "org.apache.ivy.Main", *options, "-retrieve", pattern]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _classpath() -> str:
    """Ivy, and the option parser that it needs."""
    jars = spark_home() / "jars"
    return ":".join(str(path) for pattern in ("ivy-*.jar", "commons-cli-*.jar") for path in sorted(jars.glob(pattern)))
