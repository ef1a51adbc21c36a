"""What supervision must survive: a driver that dies or stalls, killed parts of Airflow, of the batch, of the stack."""

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from deploy.local.part_process import MARK
from deploy.local.supervisor_config import GUARD
from millrace.driver_process import driver_processes
from tests.faults.driver import is_running
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import recovery
from tests.faults.services import kill_part, state_of
from tests.faults.supervised import Supervised
from tests.services.platform import await_that

Noted = Callable[[str, float], None]
DEAD_SECONDS = 30
STALLED_SECONDS = 60
PARTS = ("airflow-scheduler", "airflow-triggerer", "airflow-api-server", "airflow-dag-processor", "spark-connect")
STARTING_SECONDS = 90
"""What a driver may need, from its lease to its first batch, on a machine that does other things too."""


@pytest.mark.parametrize("half", ["java", "python", "all of it"])
def test_a_dead_driver_is_replaced(half: str, supervised: Supervised, noted: Noted) -> None:
    with Load(supervised.lab) as load:
        first = supervised.running()
        recovery(supervised.lab, load, within=180)
        killed = [p for p in driver_processes(first.pid or 0) if half == "all of it" or p.name().startswith(half)]
        assert killed
        for process in killed:
            process.kill()
        began = time.monotonic()
        await_that(lambda: not is_running(first.pid or 0), "the driver to be gone", 10)
        await_that(lambda: supervised.held().epoch > first.epoch, "another driver", DEAD_SECONDS)
        noted("driver dead: the next holds the lease", began)
        second = supervised.running(beyond=first.epoch)
        recovery(supervised.lab, load, within=STARTING_SECONDS)
        noted("driver dead: everything can be read", began)
        assert supervised.drivers() == [second.pid]
        assert second.epoch == first.epoch + 1
        load.stop()


def test_a_stalled_driver_is_replaced(supervised: Supervised, noted: Noted) -> None:
    with Load(supervised.lab) as load:
        first = supervised.running()
        recovery(supervised.lab, load, within=180)
        os.killpg(first.pid or 0, signal.SIGSTOP)
        began = time.monotonic()
        await_that(lambda: supervised.held().epoch > first.epoch, "another driver", STALLED_SECONDS)
        noted("driver stalled: the next holds the lease", began)
        second = supervised.running(beyond=first.epoch)
        wake(first.pid or 0)
        await_that(lambda: not is_running(first.pid or 0), "the stalled driver to be gone", 60)
        recovery(supervised.lab, load, within=STARTING_SECONDS)
        noted("driver stalled: everything can be read", began)
        assert supervised.drivers() == [second.pid]
        assert supervised.held().epoch == second.epoch
        load.stop()


def test_a_driver_that_wakes_up_where_nobody_could_kill_it_ends_itself(supervised: Supervised) -> None:
    """As on another machine: supervision can only wait for the lease to expire, and the next driver fences by epoch."""
    with Load(supervised.lab) as load:
        first = supervised.running()
        recovery(supervised.lab, load, within=180)
        os.killpg(first.pid or 0, signal.SIGSTOP)
        supervised.move("another machine")
        try:
            second = supervised.running(beyond=first.epoch)
            assert is_running(first.pid or 0)
            recovery(supervised.lab, load, within=STARTING_SECONDS)
        finally:
            wake(first.pid or 0)
        await_that(lambda: not is_running(first.pid or 0), "the woken driver to end itself", 60)
        assert "fenced, stopping hard" in supervised.log_before()
        load.flow(300)
        recovery(supervised.lab, load, within=STARTING_SECONDS)
        assert (supervised.held().epoch, supervised.drivers()) == (second.epoch, [second.pid])
        load.stop()


def wake(group: int) -> None:
    try:
        os.killpg(group, signal.SIGCONT)
    except ProcessLookupError:
        return


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_takes_no_driver_with_it(part: str, supervised: Supervised) -> None:
    """The driver goes on, nothing is started twice, and supervision is there when it is needed next."""
    with Load(supervised.lab) as load:
        before = supervised.running()
        killed = kill_part(supervised.stack, part)
        assert not is_running(killed)
        load.flow(300)
        recovery(supervised.lab, load, within=120)
        after = supervised.held()
        assert (after.epoch, after.pid) == (before.epoch, before.pid)
        assert supervised.drivers() == [before.pid]
        os.killpg(before.pid or 0, signal.SIGKILL)
        supervised.running(beyond=before.epoch)
        recovery(supervised.lab, load, within=120)
        assert len(supervised.drivers()) == 1
        load.stop()


@pytest.mark.parametrize("guarded", [True, False])
def test_a_killed_supervisor_is_followed_by_one_that_re_attaches(
    guarded: bool, supervised: Supervised, noted: Noted
) -> None:
    """The guard brings it back by itself; where that was killed too, `make up` does. No part notices."""
    with Load(supervised.lab) as load:
        before, parts = supervised.running(), supervised.part_pids()
        supervisor = int((supervised.stack.settings.state_dir / "supervisord.pid").read_text())
        for pid in (supervisor,) if guarded else (state_of(supervised.stack, GUARD).pid, supervisor):
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        await_that(lambda: not is_running(supervisor), "the supervisor to be gone", 10)
        if not guarded:
            supervised.stack.start()
        await_that(lambda: supervised.part_pids() == parts, "another supervisor, with the same parts", 30)
        noted("supervisor dead: another has taken over", began)
        after = supervised.held()
        assert (after.epoch, after.pid, supervised.drivers()) == (before.epoch, before.pid, [before.pid])
        kill_part(supervised.stack, "registry")
        recovery(supervised.lab, load, within=180)
        load.stop()


def test_the_control_plane_is_killed_and_back_before_the_lease_runs_out(supervised: Supervised) -> None:
    with Load(supervised.lab) as load:
        before = supervised.running()
        kill_part(supervised.stack, "postgres")
        load.flow(300)
        recovery(supervised.lab, load, within=180)
        assert len(supervised.drivers()) == 1
        assert supervised.running().epoch <= before.epoch + 1
        load.stop()


def test_an_operator_pauses_drains_and_resumes(supervised: Supervised) -> None:
    with Load(supervised.lab) as load:
        first = supervised.running()
        supervised.wish("paused")
        await_that(lambda: supervised.held().state == "paused", "the driver to pause")
        assert supervised.drivers() == [first.pid]
        supervised.wish("drained")
        await_that(lambda: not supervised.drivers(), "the driver to drain")
        assert not supervised.held().alive
        supervised.wish("running")
        supervised.running(beyond=first.epoch)
        recovery(supervised.lab, load, within=180)
        load.stop()


def test_everything_is_where_it_belongs_after_all_that(supervised: Supervised) -> None:
    with Load(supervised.lab) as load:
        load.flow(100)
        load.stop()
        reconcile(supervised.lab, load, others=True)


def test_no_process_stays_behind(supervised: Supervised) -> None:
    supervised.running()
    assert marked(supervised)
    supervised.stack.stop()
    assert not marked(supervised)
    assert not supervised.drivers()


def marked(supervised: Supervised) -> list[psutil.Process]:
    """Every process that was started by the stack, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(supervised.stack.stack.state) and is_running(process.pid):
                found.append(process)
        except psutil.Error:
            continue
    return found
