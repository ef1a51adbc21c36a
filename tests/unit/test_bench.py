"""What figures are worked out from: ages, sender's bytes, commits, lag; measured nowhere but on what a test wrote."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from bench.chart import chart, minutes_chart
from bench.delta_commits import commits
from bench.growth import COLUMNS, Costs, Sizes, needs
from bench.landing import Run, rate_of
from bench.measure import ages, by_minute, spent
from bench.page import figure
from bench.prober import Prober
from bench.report import load, save
from bench.sender import Sender, templates
from bench.sustained import Sample, Sustained
from millrace.settings import read_settings


class Recorder:
    """Stands where the producer is, and keeps what it was given."""

    def __init__(self):
        self.values: list[bytes] = []

    def produce(self, _topic, value, key, on_delivery):
        self.values.append(value)
        on_delivery(None, None)

    def poll(self, _seconds):
        return 0


def test_the_sender_gives_each_event_an_id_of_its_own_and_the_present_time():
    client = Recorder()
    sender = Sender(client, "topic")
    sender.send(1000)
    events = [json.loads(value) for value in client.values]
    assert len({event["event_id"] for event in events}) == 1000 == sender.acked
    moments = [datetime.fromisoformat(event["timestamp"]) for event in events]
    assert moments == sorted(moments)
    assert {event["event_type"] for event in events} == {"login", "click", "purchase", "logout"}
    assert {template.key for template in templates()[:1000]} >= {b"click", b"login"}


def test_ages_are_over_every_event():
    found = ages(np.array([*[0.1] * 98, 0.5, 9.0]), missing=2)
    assert (found.events, found.p50, found.highest, found.missing) == (100, 0.1, 9.0, 2)
    assert 0.5 < found.p99 < 9


def test_each_whole_minute_has_a_99th_percentile_of_its_own():
    old = np.array([*[1.0] * 60, *[3.0] * 60, 9.0])
    assert by_minute(old, np.arange(121, dtype=float)) == (1.0, 3.0)
    assert by_minute(np.empty(0), np.empty(0)) == ()


def test_an_event_was_visible_with_the_first_answer_that_reached_its_offset():
    prober = Prober(read_settings(), "t")
    prober._seen = {0: [(4, 10.0), (9, 11.0)], 1: [(2, 12.0)]}
    visible = prober._visible(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 4, 5, 2, 3, 0]))
    assert visible[:4].tolist() == [10.0, 10.0, 11.0, 12.0]
    assert np.isnan(visible[4:]).all()


def test_commits_of_a_stream_are_told_from_others(tmp_path: Path):
    log = tmp_path / "_delta_log"
    log.mkdir()
    (log / f"{0:020d}.json").write_text('{"metaData": {}}\n')
    (log / f"{1:020d}.json").write_text('{"txn": {"appId": "a", "version": 7}}\n{"add": {"path": "h%20=1/a"}}\n')
    [commit] = commits(tmp_path, since=0)
    assert (commit.batch, commit.files) == (7, (tmp_path / "h =1" / "a",))
    assert commit.visible == pytest.approx((log / f"{1:020d}.json").stat().st_ctime)
    assert not list(commits(tmp_path, since=commit.visible + 1))


def test_throughput_leaves_the_warm_up_out():
    points = [(100, 0.0, 0.0), (400, 10.0, 5.0), (700, 11.0, 6.0), (1000, 12.0, 7.0)]
    assert rate_of("x", points) == Run("x", 600, 2.0, 2.0)


def test_cpu_is_by_part_and_event():
    assert spent({"kafka": 1.0}, {"kafka": 3.0, "clickhouse": 1.0, "idle": 0.0}, 1_000_000) == {
        "kafka": 2.0,
        "clickhouse": 1.0,
    }


@pytest.mark.parametrize(("last", "flat"), [(1_000, True), (90_000, False)])
def test_lag_is_flat_when_it_does_not_grow(last: int, flat: bool):
    samples = tuple(Sample(60.0 + n, 1_000 if n < 20 else last, 500) for n in range(30))
    assert Sustained(20_000, 1, samples, {}, {}, "success").flat is flat


def test_needs_grow_with_the_events():
    cost, size = Costs(kafka=10, streams=50, clickhouse=10, batch=20), Sizes(kafka=60, bronze=40, live=30)
    small, large = (dict(zip(COLUMNS, needs(events, cost, size), strict=True)) for events in (10**8, 10**11))
    assert small["Kafka partitions"] == "6"
    assert int(large["stream cores"].replace(",", "")) == pytest.approx(10**11 / 86_400 * 3 * 50e-6 / 0.6, rel=0.01)
    assert small["bronze files a day"] == "24"


def test_the_chart_and_the_page_show_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bench.report.RESULTS", tmp_path)
    age = {"events": 10, "p50": 0.3, "p99": 0.7, "highest": 0.9, "missing": 0}
    kept = {
        "mode": "millrace",
        "rate": 5000.0,
        "sent": 10,
        "ages": {"live": age},
        "cpu": {"kafka": 9.6},
        "sender_cpu": 1.0,
    }
    save("live-5000", [kept])
    assert "live, 5,000/s" in (chart() or "")
    assert "| live, everything on | 5,000 | 10 | 300 ms | 700 ms | 900 ms | 0 | 10 |" in (
        figure(load("live-5000")) or ""
    )


def test_bronze_is_shown_minute_by_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bench.report.RESULTS", tmp_path)
    assert minutes_chart() is None
    age = {"events": 10, "p50": 1.0, "p99": 2.0, "highest": 3.0, "missing": 0}
    found = {"bronze": [age | {"by_minute": [1.5, 1.0, 2.0]}], "bare script": [age | {"by_minute": [4.0, 6.0, 5.0]}]}
    save("bronze", {"rate": 5000.0, "seconds": 180} | found)
    assert "| bronze | 10 | 1,000 ms | 2,000 ms | 3,000 ms | 0 | 1,000, 1,500, 2,000 ms |" in (
        figure(load("bronze")) or ""
    )
    drawing = minutes_chart() or ""
    assert drawing.count("<polyline") == 2
    assert "6 s" in drawing
