"""Runs the Spark part of a command in a process of its own: the core knows no Spark."""

import json
import os
import subprocess
import sys
from typing import Any

from millrace import errors
from millrace.contracts.source import Strict
from millrace.errors import MillraceError, TransientError
from millrace.settings import ROOT

MODULE = "spark_jobs.quarantine_job"
_REFUSED = 3


def run_job(command: str, argument: Strict | dict[str, str]) -> list[dict[str, Any]]:
    """Lines of the job's answer; an error of ours that it met is raised here, anything else as TransientError."""
    text = argument.model_dump_json() if isinstance(argument, Strict) else json.dumps(argument)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", MODULE, command, text],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == _REFUSED:
        raise _error(**lines[-1])
    if done.returncode:
        raise TransientError(f"the Spark job `{command}` failed; its last words:\n{_last_words(done.stderr)}")
    return lines


def _error(error: str, message: str) -> MillraceError:
    kind: type[MillraceError] = getattr(errors, error, MillraceError)
    return kind(message)


def _last_words(stderr: str) -> str:
    return "\n".join(stderr.strip().splitlines()[-15:])
