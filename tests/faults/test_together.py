"""Several faults at once: the machine's power is cut, and one service fails while another is away."""

import os
import signal

from deploy.local.lifecycle import USED_BY_STREAMS
from tests.faults.bench import Bench
from tests.faults.driver import is_running
from tests.faults.services import away, frozen, hold_for, kill_part, state_of
from tests.services.platform import await_that

HANGS = 60


def test_everything_dies_at_once(bench: Bench) -> None:
    """As when the power is cut, but for what the operating system had not written yet."""
    pids = [state_of(bench.stack, part).pid for part in USED_BY_STREAMS]
    driver = bench.driver.pid
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    os.killpg(driver, signal.SIGKILL)
    await_that(lambda: not any(map(is_running, [*pids, driver])), "all of them to be gone", 30)
    bench.stack.start(*USED_BY_STREAMS)
    bench.load.flow(300, seconds=240)
    bench.recover(within=300)
    bench.check()


def test_the_broker_dies_while_clickhouse_is_away(bench: Bench) -> None:
    with away(bench.stack, "clickhouse"):
        bench.load.flow(300)
        kill_part(bench.stack, "kafka")
        bench.load.flow(300, seconds=240)
    bench.recover(within=240)
    bench.check()


def test_the_driver_dies_while_the_broker_hangs(bench: Bench) -> None:
    """The next driver asks a broker that does not answer, and reads nothing twice once it does."""
    with frozen(bench.stack, "kafka"):
        killed = bench.driver.kill()
        await_that(lambda: bench.driver.pid != killed, "another driver to be started", 30)
        hold_for(HANGS, lambda: True)
    bench.load.flow(300, seconds=240)
    bench.recover(within=300)
    bench.check()
