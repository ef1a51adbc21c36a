"""The broker is killed, away or hangs, transactions are aborted, partitions idle or added, a topic is made anew."""

from collections.abc import Callable

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.faults.bench import Bench
from tests.faults.driver import START_SECONDS, Driver, is_running
from tests.faults.lab import Lab, create_topic, write_contract
from tests.faults.load import Load
from tests.faults.reconcile import reconcile
from tests.faults.recovery import newest, recovery
from tests.faults.services import away, frozen, hold_for, kill_part, state_of
from tests.faults.transactions import ABORTED, committed, left_open
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows, lake_count

Drive = Callable[[Lab], Driver]
MINUTES_AWAY = 90
SET_APART = 400
"""Seconds: a query that was set apart is tried again within five minutes."""


@pytest.mark.core
def test_broker_killed(bench: Bench) -> None:
    killed = kill_part(bench.stack, "kafka")
    assert not is_running(killed)
    assert state_of(bench.stack, "kafka").pid != killed
    bench.load.flow(300)
    bench.recover()
    bench.check()


def test_broker_away_for_minutes(bench: Bench) -> None:
    """Producers wait, and so do the queries."""
    ends = len(bench.driver.ends)
    with away(bench.stack, "kafka"):
        acked = len(bench.load.acked)
        hold_for(MINUTES_AWAY, lambda: len(bench.load.acked) <= acked + 100)
    bench.load.flow(300)
    bench.recover()
    bench.check()
    assert len(bench.driver.ends) == ends, "a driver must outlive the broker"


def test_broker_hangs(bench: Bench) -> None:
    """It takes connections, and answers none."""
    with frozen(bench.stack, "kafka"):
        acked = len(bench.load.acked)
        hold_for(MINUTES_AWAY, lambda: len(bench.load.acked) <= acked + 100)
    bench.load.flow(300, seconds=240)
    bench.recover(within=240)
    bench.check()


def test_transactions(lab: Lab, drive: Drive) -> None:
    """What was aborted goes nowhere, and an open transaction holds up what comes after it until it times out."""
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        written = committed(lab, 5)
        load.flow(300)
        recovery(lab, load, within=120)
        driver.kill()
        written += committed(lab, 5)
        left = left_open(lab)
        load.flow(300)
        recovery(lab, load, within=180)
        load.flow(300)
        load.stop()
        counted = reconcile(lab, load, others=True)
        assert len(counted.good) == len(load.acked) + written
        assert not any((s.event or {})["size"] == ABORTED for s in counted.good)
        del left


def test_idle_partitions(new_lab: Callable[..., Lab], drive: Drive) -> None:
    """One partition has everything: the others hold up neither landing, nor live, nor windows."""
    lab = new_lab(windows=True)
    with drive(lab) as driver, Load(lab, partition=2) as load:
        driver.await_running()
        load.flow(1500)
        recovery(lab, load, within=120)
        assert set(newest(load)) == {2}
        load.stop()
        counted = reconcile(lab, load)
        sql = f"SELECT sum(events) AS n FROM realtime.{lab.source}_windows"
        await_that(lambda: clickhouse_rows(lab.settings, sql)[0]["n"] == len(counted.first_of_each), "every window")


def test_partitions_from_4_to_8_under_load(lab: Lab, drive: Drive) -> None:
    """New partitions are read from their first record, whether the driver is up or starts again."""
    with drive(lab) as driver, Load(lab, rate=300) as load:
        driver.await_running()
        load.flow(500)
        kafka = AdminClient({"bootstrap.servers": lab.settings.kafka_bootstrap})
        kafka.create_partitions([NewPartitions(lab.topic, 8)])[lab.topic].result(30)
        await_that(lambda: max(newest(load)) >= 4, "records in the new partitions")
        recovery(lab, load, within=120)
        driver.kill()
        write_contract(lab, partitions=8, lateness="30 seconds")
        load.flow(500)
        load.stop()
        counted = reconcile(lab, load)
        assert max(s.partition for s in counted.good) > 3


def test_retention_shorter_than_the_lag(lab: Lab, drive: Drive) -> None:
    """Records are gone before anybody has read them: the queries stop and say so, until a person accepts the loss."""
    with drive(lab) as driver, Load(lab) as load:
        driver.await_running()
        load.flow(300)
        recovery(lab, load, within=180)
        driver.stop()
        load.flow(600)
        load.stop()
        landed = lake_count(lab.settings, "bronze", lab.source)
        expire(lab)
        lost = len(load.acked) - landed
        assert lost > 0
        driver.start()
        driver.await_log(f"Kafka has deleted {lost} records", 180)
        load.go_on()
        load.flow(100)
        assert lake_count(lab.settings, "bronze", lab.source) == landed, "landing went on as if nothing was lost"
        driver.run("accept-loss", lab.source, "--why", "a test of it")
        recovery(lab, load, within=180)
        load.stop()
        wanted = len(load.acked) - lost
        await_that(lambda: lake_count(lab.settings, "bronze", lab.source) >= wanted, "the rest in bronze")
        assert lake_count(lab.settings, "bronze", lab.source) == wanted
        assert written_off(lab) == lost


def test_a_topic_made_anew(new_lab: Callable[..., Lab], drive: Drive) -> None:
    """Its queries stop and say so, until a person gives up what they passed over; the other source never stops."""
    lab, other = new_lab(), new_lab()
    with drive(lab) as driver, Load(other) as steady:
        driver.await_running()
        with Load(lab) as load:
            load.flow(300)
            load.stop()
            recovery(lab, load, within=180)
        position = {partition: offset + 1 for partition, offset in newest(load).items()}
        await_that(lambda: lake_count(lab.settings, "bronze", lab.source) == len(load.acked), "all of it in bronze")
        driver.stop()
        make_anew(lab)
        with Load(lab) as load:
            load.flow(2 * sum(position.values()))
            load.stop()
            driver.start()
            driver.await_log(f"Topic '{lab.topic}' was made anew", START_SECONDS)
            steady.flow(300)
            recovery(other, steady, within=180)
            assert lake_count(lab.settings, "bronze", lab.source) == sum(position.values())
            driver.run("accept-loss", lab.source, "--why", "a test of it")
            load.go_on()
            recovery(lab, load, within=SET_APART)
            load.stop()
        steady.stop()
        wanted = sum(position.values()) + sum(a.offset >= position.get(a.partition, 0) for a in load.acked)
        await_that(lambda: lake_count(lab.settings, "bronze", lab.source) >= wanted, "the rest in bronze")
        assert lake_count(lab.settings, "bronze", lab.source) == wanted
        assert written_off(lab) == sum(position.values())
        assert not driver.ends, "one source's topic ended the driver of both"
        reconcile(other, steady)


def make_anew(lab: Lab) -> None:
    """Delete the topic, and create one of the same name."""
    kafka = AdminClient({"bootstrap.servers": lab.settings.kafka_bootstrap})
    kafka.delete_topics([lab.topic])[lab.topic].result(30)
    await_that(lambda: lab.topic not in kafka.list_topics(timeout=20).topics, f"{lab.topic} to be gone")
    create_topic(lab, 4)


def written_off(lab: Lab) -> int:
    """How many records landing has gone on without, by the control plane."""
    sql = "SELECT coalesce(sum(end_offset - first_offset), 0) FROM ops.lost_records WHERE query = %s"
    with psycopg.connect(lab.settings.postgres_dsn) as connection:
        row = connection.execute(sql, (lab.landing,)).fetchone()
    return int(row[0]) if row else 0


def expire(lab: Lab) -> dict[int, int]:
    """Have Kafka drop every record of the topic, as retention does; the first offset that is left, per partition."""
    kafka = AdminClient({"bootstrap.servers": lab.settings.kafka_bootstrap})
    everything = [TopicPartition(lab.topic, p, -1) for p in kafka.list_topics(lab.topic).topics[lab.topic].partitions]
    done = {p.partition: f.result(30).low_watermark for p, f in kafka.delete_records(everything).items()}
    assert max(done.values()) > 0
    return done
