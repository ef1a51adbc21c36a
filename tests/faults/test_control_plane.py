"""PostgreSQL hangs, has lost everything, or is an older copy: drivers stop writing until they can prove their lease."""

import psycopg
import pytest

from tests.faults.bench import Bench
from tests.faults.services import away, frozen, hold_for
from tests.services.platform import await_that

HANGS = 45
COPIED = ("stream_groups", "landing_offsets", "lost_records")


def test_it_hangs(bench: Bench) -> None:
    """It takes connections and answers none, for longer than a lease lasts: nobody may write meanwhile."""
    before = bench.driver.held()
    with frozen(bench.stack, "postgres"):
        hold_for(HANGS, lambda: True)
    bench.load.flow(300)
    bench.recover(within=240)
    assert bench.driver.held().epoch > before.epoch, "a driver kept a lease that it could not renew"
    bench.check()


def test_a_driver_is_killed_while_it_is_away(bench: Bench) -> None:
    """The next driver finds no control plane, and waits for it or is started again."""
    with away(bench.stack, "postgres"):
        killed = bench.driver.kill()
        await_that(lambda: bench.driver.pid != killed, "another driver to be started", 30)
        hold_for(10, lambda: True)
    bench.load.flow(300)
    bench.recover(within=240)
    bench.check()


@pytest.mark.parametrize("found", ["nothing", "an older copy"])
def test_it_comes_back_with(found: str, bench: Bench) -> None:
    """Its data are lost, or restored from a backup, while a driver runs: checkpoints and lake know better."""
    before = bench.driver.held()
    with psycopg.connect(bench.lab.settings.postgres_dsn, autocommit=True) as connection:
        copy(connection)
        bench.driver.kill()
        bench.driver.await_running(beyond=before.epoch)
        bench.load.flow(300)
        bench.recover()
        (lose if found == "nothing" else put_back)(connection)
    killed = bench.driver.pid
    await_that(lambda: bench.driver.pid != killed, "the driver to end, whose lease nobody knows", 120)
    bench.load.flow(300)
    bench.recover(within=240)
    bench.driver.kill()
    bench.load.flow(300)
    bench.recover(within=240)
    bench.check()


def copy(connection: psycopg.Connection) -> None:
    """Keep what the control plane says now."""
    connection.execute("DROP SCHEMA IF EXISTS copied CASCADE")
    connection.execute("CREATE SCHEMA copied")
    for table in COPIED:
        connection.execute(f"CREATE TABLE copied.{table} AS TABLE ops.{table}".encode())


def put_back(connection: psycopg.Connection) -> None:
    """The copy, instead of what was written since."""
    with connection.transaction():
        for table in COPIED:
            connection.execute(f"DELETE FROM ops.{table}".encode())
            connection.execute(f"INSERT INTO ops.{table} SELECT * FROM copied.{table}".encode())


def lose(connection: psycopg.Connection) -> None:
    """All that the control plane knows."""
    connection.execute("DROP SCHEMA ops CASCADE")
