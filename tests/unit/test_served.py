"""How a gold model's table looks in ClickHouse."""

from pathlib import Path

import pytest

from millrace.clickhouse.served import ddl, row_identity, served
from millrace.contracts.avro import Column
from millrace.contracts.model import GoldModel, Serve

COLUMNS = [
    Column(name="event_date", spark_type="date", nullable=False),
    Column(name="source", spark_type="string", nullable=True),
    Column(name="event_count", spark_type="bigint", nullable=False),
    Column(name="updated_at", spark_type="timestamp", nullable=False),
]


def model(sql: str, **header: object) -> GoldModel:
    place = {"name": "totals", "domain": "shop", "path": Path("totals.sql"), "inputs": ("silver.user_events",)}
    return GoldModel(**place, sql=sql, **({"partition": "event_date"} | header))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sql", "identity"),
    [
        ("SELECT event_date, source, count(*) AS event_count FROM t GROUP BY event_date, source", 2),
        ("SELECT event_date, source, count(*) AS event_count FROM t GROUP BY 1, 2", 2),
        ("SELECT t.event_date, upper(source) AS source, count(*) AS event_count FROM t GROUP BY event_date, source", 2),
        ("SELECT event_date, upper(s) AS source, 1 AS event_count FROM t GROUP BY event_date, upper(s)", 2),
        ("SELECT event_date, source, max(price) - min(price) AS event_count FROM t GROUP BY ALL", 2),
        ("SELECT event_date, source, event_count FROM t", 3),
    ],
)
def test_rows_are_told_apart_by_what_they_are_grouped_by(sql: str, identity: int):
    names = [column.name for column in COLUMNS]
    assert row_identity(model(sql), names) == tuple(names[:identity])


def test_a_partitioned_table():
    table = served(
        model("SELECT event_date, source, count(*) AS event_count FROM t GROUP BY ALL", description="It's a count."),
        Serve(table="totals_daily", order_by=("source",)),
        COLUMNS,
    )
    assert ddl(table) == (
        "CREATE TABLE IF NOT EXISTS gold.`totals_daily`\n"
        "(\n"
        "    `event_date` Date32,\n"
        "    `source` Nullable(String),\n"
        "    `event_count` Int64,\n"
        "    `updated_at` DateTime64(3, 'UTC')\n"
        ")\n"
        "ENGINE = ReplacingMergeTree(updated_at)\n"
        "PARTITION BY `event_date`\n"
        "ORDER BY (`event_date`, `source`)\n"
        "SETTINGS allow_nullable_key = 1\n"
        "COMMENT 'It\\'s a count.'"
    )


def test_a_table_by_key_has_no_partitions():
    table = served(model("SELECT source FROM t GROUP BY source", partition=None, key=("source",)), Serve(), COLUMNS)
    assert table.order_by == ("source",)
    assert "PARTITION BY" not in ddl(table)
