"""Compiles what Spark lacks, `spark_jobs/jvm`, with the Scala compiler that lies in PySpark."""

import subprocess
from pathlib import Path

from deploy.local.stack import java
from millrace.errors import MillraceError
from millrace.launch import ENGINE_JAR, spark_home
from millrace.settings import ROOT

SOURCES = sorted((ROOT / "spark_jobs" / "jvm").glob("*.scala"))


def compile_jar(folder: Path, spark_jars: Path) -> None:
    """Write the jar, whole or not at all; `spark_jars` holds Delta, which it extends."""
    jar, partial = folder / ENGINE_JAR, folder / "partial.jar"
    classes = f"{spark_home() / 'jars' / '*'}:{spark_jars / '*'}"
    options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", classes]
    command = [java(), *options, "scala.tools.nsc.Main", "-usejavacp", "-cp", classes, "-d", str(partial)]
    done = subprocess.run([*command, *map(str, SOURCES)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MillraceError(f"{SOURCES[0].parent} does not compile:\n{done.stdout}{done.stderr}")
    partial.replace(jar)
