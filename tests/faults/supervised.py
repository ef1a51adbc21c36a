"""The whole platform under fault: the stream group that Airflow supervises, and a lab that it runs among the shop."""

import os
from dataclasses import dataclass
from datetime import timedelta

from deploy.local.leftovers import stream_drivers
from millrace import names
from tests.faults.driver import Held, held, is_running
from tests.faults.lab import Lab
from tests.services.platform import Platform, await_that, now
from tests.stack import TestStack


@dataclass(frozen=True)
class Supervised:
    """A lab whose driver is Airflow's business."""

    stack: TestStack
    platform: Platform
    lab: Lab

    def held(self) -> Held:
        return held(self.lab.settings, names.STREAM_GROUP)

    def running(self, beyond: int = 0, seconds: float = 300) -> Held:
        """Wait until the group's driver, of an epoch beyond this one, runs its queries."""

        def runs() -> Held | None:
            state = self.held()
            return state if state.alive and state.state == "running" and state.epoch > beyond else None

        found = await_that(runs, f"a running driver beyond epoch {beyond}", seconds)
        assert found is not None
        assert found.pid is not None
        assert is_running(found.pid)
        return found

    def drivers(self) -> list[int]:
        """Process groups that drive the group on this machine."""
        return sorted({os.getpgid(p.pid) for p in stream_drivers(self.stack.stack) if is_running(p.pid)})

    def wish(self, desired: str) -> None:
        """What an operator does in the UI."""
        done = self.platform.run_to_the_end(names.STREAM_CONTROL_DAG, group=names.STREAM_GROUP, desired=desired)
        assert done == "success"

    def refine(self) -> str:
        """Run the lab's hourly DAG by hand over everything that Kafka has taken; the state in which it ended."""
        dag, moment = names.medallion_dag("lab"), now()
        start = moment.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        return self.platform.run_to_the_end(dag, **{"from": start.isoformat(), "to": moment.isoformat()})
