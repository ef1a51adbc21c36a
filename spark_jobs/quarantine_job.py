"""The Spark part of `millrace quarantine`, a process of its own: `python -m spark_jobs.quarantine_job plan <json>`.

The answer is one line of JSON, or several for `records`; an error of ours is `{"error": <class>, "message": <text>}`.
"""

import json
import logging
import socket
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from millrace.contracts.catalog import Catalog, read_catalog
from millrace.errors import MillraceError, TransientError
from millrace.quarantine.request import Request, Selection
from millrace.settings import Settings, read_settings
from spark_jobs.edges import lake
from spark_jobs.edges.quarantined import ORDER, as_line, oldest, originals, selected, table_of
from spark_jobs.edges.session import connect_session
from spark_jobs.replay import apply, plan

REFUSED = 3
"""Exit code when the answer is an error of ours."""


def main(command: str, argument: str) -> int:
    """Carry out one command; gives the exit code."""
    logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.ERROR)
    try:
        settings = read_settings()
        _refuse_silence(settings)
        spark = connect_session(settings)
        try:
            for line in _COMMANDS[command](spark, settings, read_catalog(settings.project_dir), json.loads(argument)):
                _say(line)
        finally:
            spark.stop()
    except MillraceError as error:
        _say({"error": type(error).__name__, "message": str(error)})
        return REFUSED
    return 0


def _plan(spark: SparkSession, settings: Settings, catalog: Catalog, argument: dict[str, Any]) -> Iterator[Any]:
    yield plan(spark, settings, catalog, Request.model_validate(argument)).model_dump(mode="json")


def _apply(spark: SparkSession, settings: Settings, catalog: Catalog, argument: dict[str, Any]) -> Iterator[Any]:
    yield apply(spark, settings, catalog, argument["plan_id"], argument["by"]).model_dump(mode="json")


def _records(spark: SparkSession, settings: Settings, catalog: Catalog, argument: dict[str, Any]) -> Iterator[Any]:
    """The content of what a selection finds, decided about or not, oldest first."""
    selection = Selection.model_validate(argument)
    source, path = catalog.source(selection.source), table_of(settings, selection.source, selection.stage)
    if lake.read(spark, path) is None:
        return
    rows = oldest(selected(spark, settings, selection, lake.version(spark, path)), selection.limit)
    for row in originals(rows, settings, source, selection.stage).orderBy(*ORDER).toLocalIterator():
        yield as_line(row)


_COMMANDS = {"plan": _plan, "apply": _apply, "records": _records}


def _refuse_silence(settings: Settings) -> None:
    """Spark's client would try again for minutes."""
    address = urlsplit(settings.spark_connect_url)
    try:
        socket.create_connection((address.hostname or "", address.port or 15002), timeout=5).close()
    except OSError as error:
        raise TransientError(
            f"Spark Connect at {address.netloc} does not answer: {error}; see `make doctor`"
        ) from error


def _say(line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
