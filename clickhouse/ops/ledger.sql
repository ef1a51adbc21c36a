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
ORDER BY (source, interval_start, interval_end);
ALTER TABLE ops.ledger
    ADD COLUMN IF NOT EXISTS doubled Int64 COMMENT 'records in bronze or quarantine more than once',
    ADD COLUMN IF NOT EXISTS gold Nullable(Int64) COMMENT 'rows in gold tables that hold silver row by row',
    ADD COLUMN IF NOT EXISTS served Nullable(Int64) COMMENT 'rows in what the interval touched of gold in ClickHouse',
    ADD COLUMN IF NOT EXISTS live Nullable(Int64) COMMENT 'events in the live table',
    ADD COLUMN IF NOT EXISTS copies String COMMENT 'JSON: for each copy the rows expected and found',
    ADD COLUMN IF NOT EXISTS problems Array(String) COMMENT 'where it does not balance, in words'
