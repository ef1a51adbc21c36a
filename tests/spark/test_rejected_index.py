"""Silver does not depend on the index of what it rejected: publishing goes on while ClickHouse is away."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from millrace.errors import TransientError
from spark_jobs.edges.quarantine_index import index_rejected
from spark_jobs.silver import publish_silver, stage_silver
from spark_jobs.sync import clickhouse
from tests.spark.tiny_lake import SOURCE, TinyLake, event


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens there, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_hour_with_rejected_rows_is_published_without_clickhouse(
    lake: TinyLake, closed_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("spark_jobs.silver.index_rejected", index_rejected)
    address = {"clickhouse_host": "127.0.0.1", "clickhouse_http_port": closed_port}
    away = replace(lake, settings=lake.settings.model_copy(update=address))
    with pytest.raises(TransientError), clickhouse(away.settings):
        pass
    lake.land(event(0, 0), event(1, 1, event_id=" "))
    run = away.run(0, 1)
    stage_silver(run, SOURCE)
    published = publish_silver(run, SOURCE)
    assert (published.inserted, published.rejected) == (1, 1)
    assert [row["kafka_offset"] for row in lake.rows("rejected", SOURCE)] == [1]
    assert f"{SOURCE}: the index of rejected rows lags" in caplog.text
