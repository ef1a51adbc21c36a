"""Runs the Spark part of a command in a process of its own: the core knows no Spark."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from millrace import errors
from millrace.contracts.source import Strict
from millrace.errors import MillraceError, TransientError
from millrace.settings import ROOT

MODULE = "spark_jobs.quarantine_job"
_REFUSAL = {"error", "message"}


def run_job(command: str, argument: Strict | dict[str, str]) -> dict[str, Any]:
    """The one line of the job's answer."""
    [answer] = job_lines(command, argument)
    return answer


def job_lines(command: str, argument: Strict | dict[str, str]) -> Iterator[dict[str, Any]]:
    """Lines of the answer as they come; an error of ours that the job met is raised here, another as TransientError."""
    text = argument.model_dump_json() if isinstance(argument, Strict) else json.dumps(argument)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryFile("w+") as noise:
        job = subprocess.Popen(
            [sys.executable, "-m", MODULE, command, text],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
        )
        with job:
            for line in job.stdout or ():
                if line.startswith("{"):
                    yield _accepted(json.loads(line))
        if job.returncode:
            noise.seek(0)
            raise TransientError(f"the Spark job `{command}` failed; its last words:\n{_last_words(noise.read())}")


def _accepted(line: dict[str, Any]) -> dict[str, Any]:
    if line.keys() != _REFUSAL:
        return line
    kind: type[MillraceError] = getattr(errors, line["error"], MillraceError)
    raise kind(line["message"])


def _last_words(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-15:])
