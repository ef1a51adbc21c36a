"""Compiles Hadoop's local file system without child processes, with the Scala compiler that lies in PySpark."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from deploy.local.stack import java
from millrace.errors import MillraceError

SOURCE = Path(__file__).with_name("scala") / "NativeFiles.scala"


def compile_jar(folder: Path) -> None:
    """Write `native-files.jar`, whole or not at all."""
    jar, partial = folder / "native-files.jar", folder / "partial.jar"
    command = [java(), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", _spark_classpath(), "scala.tools.nsc.Main"]
    done = subprocess.run(
        [*command, "-usejavacp", "-d", str(partial), str(SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MillraceError(f"{SOURCE} does not compile:\n{done.stdout}{done.stderr}")
    partial.replace(jar)


def _spark_classpath() -> str:
    spec = find_spec("pyspark")
    if spec is None or not spec.submodule_search_locations:
        raise MillraceError("pyspark is not installed in this environment; run `make up`")
    return str(Path(spec.submodule_search_locations[0], "jars", "*"))
