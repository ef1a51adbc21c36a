-- What every gate found, one row per rule; without personal data.
CREATE TABLE IF NOT EXISTS ops.gate_results
(
    gate_id String,
    layer LowCardinality(String),
    `table` LowCardinality(String),
    `interval` String,
    run_id String,
    rule_number UInt16,
    rule LowCardinality(String),
    `column` LowCardinality(String),
    expected String,
    severity LowCardinality(String),
    success Bool,
    unexpected_count Nullable(Int64),
    element_count Int64,
    observed String,
    sample Array(String),
    ran_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(ran_at)
PARTITION BY toYYYYMM(ran_at)
ORDER BY (layer, `table`, gate_id, rule_number)
TTL toDateTime(ran_at) + INTERVAL 90 DAY
