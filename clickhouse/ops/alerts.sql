-- Alerts for dashboards; PostgreSQL holds the ones that count.
CREATE TABLE IF NOT EXISTS ops.alerts
(
    id Int64,
    kind LowCardinality(String),
    severity LowCardinality(String),
    subject String,
    message String,
    run_id Nullable(String),
    at DateTime64(6, 'UTC'),
    times Int32,
    resolved_at Nullable(DateTime64(6, 'UTC')),
    resolved_by Nullable(String),
    changed_at DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(changed_at)
PARTITION BY toYear(at)
ORDER BY id
