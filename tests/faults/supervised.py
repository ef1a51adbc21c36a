"""The whole platform under fault: the stream group that Airflow supervises, and a lab that it runs among the shop."""

import os
from dataclasses import dataclass
from datetime import timedelta

from deploy.local.leftovers import stream_drivers
from deploy.local.supervision import Supervisor
from deploy.local.supervisor_config import GUARD
from millrace import names
from tests.faults.driver import Held, held, is_running, move
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

    def part_pids(self) -> dict[str, int]:
        """The process of each part that the supervisor keeps running; nothing while there is no supervisor."""
        states = Supervisor(self.stack.stack).states().items()
        return {name: state.pid for name, state in states if state.runs and name != GUARD}

    def move(self, host: str) -> None:
        """Have the driver seem to run on another machine, where nobody here can look or kill."""
        move(self.lab.settings, names.STREAM_GROUP, host)

    def log_before(self) -> str:
        """What the driver before this one has said."""
        return (self.stack.stack.logs / f"stream-{names.STREAM_GROUP}.log.1").read_text(errors="replace")

    def wish(self, desired: str) -> None:
        """What an operator does in the UI."""
        done = self.platform.run_to_the_end(names.STREAM_CONTROL_DAG, group=names.STREAM_GROUP, desired=desired)
        assert done == "success"

    def refine(self) -> str:
        """Run the lab's hourly DAG by hand over everything that Kafka has taken; the state in which it ended."""
        dag, moment = names.medallion_dag("lab"), now()
        start = moment.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        return self.platform.run_to_the_end(dag, **{"from": start.isoformat(), "to": moment.isoformat()})
