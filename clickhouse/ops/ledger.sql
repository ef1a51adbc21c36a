-- The ledger for dashboards; PostgreSQL holds the one that counts.
CREATE TABLE IF NOT EXISTS ops.ledger
(
    source LowCardinality(String),
    interval_start DateTime64(6, 'UTC'),
    interval_end DateTime64(6, 'UTC'),
    run_id String,
    kafka_acked Nullable(Int64),
    bronze Int64,
    quarantined Int64,
    silver Int64,
    duplicates Int64,
    rejected Int64,
    reasons String,
    balances Bool,
    written_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYear(interval_start)
ORDER BY (source, interval_start, interval_end)
