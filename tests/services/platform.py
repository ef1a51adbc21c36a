"""What a person does with a running stack: feed it, drop in folders, start runs, wait for what should come."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from deploy.local.airflow_api import AirflowApi
from millrace.settings import Settings

RUN_DEADLINE = 900
T = TypeVar("T")
ENDED = {"success", "failed"}


@dataclass(frozen=True)
class Platform:
    """A stack under test: its settings, the environment of its processes, and Airflow's REST API."""

    settings: Settings
    environment: dict[str, str]
    api: AirflowApi

    def simulate(self, source: str, folder: Path, **options: object) -> dict[str, Any]:
        """Run the simulator to its end; its report."""
        report = folder / f"{source}.json"
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "simulators", source, "--steady", f"--report={report}", *flags]
        subprocess.run(command, env=self.environment, check=True, timeout=300)
        return dict(json.loads(report.read_text()))

    def run_to_the_end(self, dag: str, **params: object) -> str:
        """Trigger a run by hand and wait until it has ended; its state."""
        return self.await_run(dag, self.api.trigger(dag, **params))

    def await_run(self, dag: str, run: str) -> str:
        """State in which a run has ended."""

        def ended() -> str | None:
            state = str(self.api.call("GET", f"dags/{dag}/dagRuns/{run}")["state"])
            return state if state in ENDED else None

        return str(await_that(ended, f"run {run} of {dag} to end", RUN_DEADLINE))

    def log_of(self, dag: str, run: str, task: str) -> str:
        """The log of a task's newest try."""
        instance = self.api.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}")
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{instance['try_number']}"
        return json.dumps(self.api.call("GET", path, full_content=True)["content"])


def await_backfill(api: AirflowApi, backfill: int) -> None:
    """Wait until Airflow has run all of a backfill."""
    await_that(lambda: api.has_ended(backfill), "the backfill to end", 600)


def await_that(look: Callable[[], T], what: str, seconds: float = 180) -> T:
    """Look twice a second until the answer is truthy, and return it; raises TimeoutError with the last answer."""
    attempts = Retrying(
        stop=stop_after_delay(seconds), wait=wait_fixed(0.5), retry=retry_if_result(lambda answer: not answer)
    )
    try:
        return attempts(look)
    except RetryError as error:
        raise TimeoutError(f"waited {seconds:.0f} s for {what}; last seen: {error.last_attempt.result()!r}") from None


def now() -> datetime:
    return datetime.now(UTC)
