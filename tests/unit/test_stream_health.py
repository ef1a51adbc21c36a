"""What the heartbeat learns of the queries: who is idle, who waits, and whether the driver has got to work."""

import pytest

from spark_jobs.edges import health as module
from spark_jobs.edges.busy import LONGEST_TASK, Busy
from spark_jobs.edges.health import FIRST_BATCH, LOOK_AFTER, START_SECONDS, Health


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def tick(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_an_application_that_starts_no_query_becomes_idle(clock: Clock) -> None:
    health = Health()
    clock.tick(START_SECONDS + 10)
    assert health.idle() == 10
    assert not health.proved()


def test_an_application_that_waits_for_a_service_before_its_queries_is_not_idle(clock: Clock) -> None:
    health = Health()
    clock.tick(START_SECONDS)
    health.waiting("Kafka", "away")
    clock.tick(START_SECONDS - 1)
    assert health.idle() == 0


def test_the_slowest_query_counts_and_one_that_waits_does_not(clock: Clock) -> None:
    health = Health()
    for query in ("landing", "live"):
        health.started(query)
        health.finished(query)
    clock.tick(30)
    health.finished("landing")
    assert health.idle() == 30
    health.waiting("live", "ClickHouse is away")
    assert health.idle() == 0
    assert health.note() == "live waits: ClickHouse is away"
    health.started("live")
    clock.tick(FIRST_BATCH + 1)
    assert health.idle() == FIRST_BATCH + 1


def test_a_long_batch_whose_tasks_go_on_finishing_is_no_stall(clock: Clock) -> None:
    health, done = Health(), [0]
    health.started("landing")
    health.finished("landing")
    health.watch("landing", lambda: done[0])
    for _ in range(20):
        clock.tick(LOOK_AFTER + 1)
        done[0] += 1
        assert health.idle() <= 2 * (LOOK_AFTER + 1)
    clock.tick(60)
    health.idle()
    assert health.idle() >= 60


def test_a_driver_is_proved_once_each_query_has_finished_a_batch_or_waits(clock: Clock) -> None:
    health = Health()
    health.started("landing")
    health.started("live")
    health.finished("landing")
    assert not health.proved()
    health.waiting("live", "ClickHouse is away")
    assert health.proved()
    health.started("live")
    assert not health.proved()
    health.finished("live")
    assert health.proved()


def test_a_jvm_that_computes_counts_for_a_while_though_no_task_ends(clock: Clock) -> None:
    used = [0.0]
    busy = Busy(lambda: used[0])
    clock.tick(10)
    used[0] += 8
    assert busy.look("task 3") == ("task 3", 1)
    clock.tick(10)
    used[0] += 1
    assert busy.look("task 3") == ("task 3", 1), "a tenth of a core is what idling costs"
    clock.tick(LONGEST_TASK)
    used[0] += LONGEST_TASK
    assert busy.look("task 3") == ("task 3", 1), "too long for one task"
    clock.tick(10)
    used[0] += 10
    assert busy.look("task 4") == ("task 4", 2)
