"""Compiles Hadoop's local file system without child processes, with the Scala compiler that lies in PySpark."""

import subprocess
from pathlib import Path

from deploy.local.stack import java
from millrace.errors import MillraceError
from millrace.launch import spark_home

SOURCE = Path(__file__).with_name("scala") / "NativeFiles.scala"


def compile_jar(folder: Path) -> None:
    """Write `native-files.jar`, whole or not at all."""
    jar, partial = folder / "native-files.jar", folder / "partial.jar"
    command = [
        java(),
        "-Xmx512m",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        str(spark_home() / "jars" / "*"),
        "scala.tools.nsc.Main",
    ]
    done = subprocess.run(
        [*command, "-usejavacp", "-d", str(partial), str(SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise MillraceError(f"{SOURCE} does not compile:\n{done.stdout}{done.stderr}")
    partial.replace(jar)
