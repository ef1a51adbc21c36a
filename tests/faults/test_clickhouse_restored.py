"""ClickHouse goes back to an older copy of all that it has: what its live table has lost is read from Kafka again."""

import shutil
from pathlib import Path

from bench.delta_commits import end_offsets
from tests.faults.bench import Bench
from tests.faults.services import away, copy_folder
from tests.faults.test_checkpoint import crash, start_again
from tests.faults.test_clickhouse import NO_ANSWER
from tests.faults.test_driver import committed_batch
from tests.services.platform import await_that
from tests.services.truth import clickhouse_rows

FOUND_AT_START = "it goes on behind the table"
FOUND_AFTER_AN_OUTAGE = "ClickHouse came back without batch"


def folder(bench: Bench) -> Path:
    return bench.lab.settings.state_dir / "clickhouse"


def copy_then_go_on(bench: Bench, copy: Path) -> int:
    """Copy ClickHouse's folder while it stands still; then let more arrive. How many rows the live table has."""
    with away(bench.stack, "clickhouse"):
        copy_folder(folder(bench), copy)
    bench.load.flow(300)
    bench.recover()
    return live_rows(bench)


def put_back(bench: Bench, copy: Path) -> None:
    shutil.rmtree(folder(bench))
    copy_folder(copy, folder(bench))


def live_rows(bench: Bench) -> int:
    return int(clickhouse_rows(bench.lab.settings, f"SELECT count() AS n FROM live.{bench.lab.source}")[0]["n"])


def said(bench: Bench, words: str) -> int:
    return bench.driver.log.count(words)


def test_while_no_driver_runs(bench: Bench, tmp_path: Path) -> None:
    held = copy_then_go_on(bench, tmp_path / "copy")
    crash(bench)
    with away(bench.stack, "clickhouse"):
        put_back(bench, tmp_path / "copy")
    assert live_rows(bench) < held
    before = said(bench, FOUND_AT_START)
    start_again(bench)
    assert said(bench, FOUND_AT_START) == before + 1


def test_under_a_running_driver(bench: Bench, tmp_path: Path) -> None:
    copy_then_go_on(bench, tmp_path / "copy")
    ends, outages, found = len(bench.driver.ends), said(bench, NO_ANSWER), said(bench, FOUND_AFTER_AN_OUTAGE)
    with away(bench.stack, "clickhouse"):
        await_that(lambda: said(bench, NO_ANSWER) > outages, "an insert to meet no ClickHouse")
        put_back(bench, tmp_path / "copy")
    await_that(lambda: said(bench, FOUND_AFTER_AN_OUTAGE) > found, "the query to miss what it wrote")
    bench.recover(within=240)
    bench.check()
    assert len(bench.driver.ends) == ends


def test_repeats_at_the_end_are_no_loss(bench: Bench) -> None:
    """The last batches before the crash brought nothing that the table lacks: the query goes on where it was."""
    bench.load.stop()
    bench.recover()
    again = bench.load.acked[-1].value
    for number in range(20):
        bench.load.send(again, partition=number % 4)
    bench.load.stop()
    ends = {p: max(a.offset for a in bench.load.acked if a.partition == p) + 1 for p in range(4)}
    await_that(lambda: live_position(bench) == ends, "the live query to have read the repeats")
    bench.driver.stop()
    before = said(bench, FOUND_AT_START)
    bench.load.go_on()
    start_again(bench)
    assert said(bench, FOUND_AT_START) == before


def live_position(bench: Bench) -> dict[int, int]:
    """Where the last whole batch of the live query ends, as Spark's own files have it."""
    return end_offsets(bench.lab.checkpoint(bench.lab.live), committed_batch(bench.lab, bench.lab.live))
