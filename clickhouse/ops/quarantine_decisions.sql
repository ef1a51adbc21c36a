-- What became of quarantined records: copied from PostgreSQL, which holds the decisions that count. Outlives the index.
CREATE TABLE IF NOT EXISTS ops.quarantine_decisions
(
    source LowCardinality(String),
    stage LowCardinality(String),
    kafka_topic LowCardinality(String),
    kafka_partition Int32,
    kafka_offset Int64,
    append_time DateTime64(6, 'UTC'),
    decision LowCardinality(String),
    plan_id String,
    why String,
    decided_by LowCardinality(String),
    decided_at DateTime64(6, 'UTC'),
    to_partition Nullable(Int32),
    to_offset Nullable(Int64)
)
ENGINE = ReplacingMergeTree(decided_at)
PARTITION BY toYYYYMM(append_time)
ORDER BY (source, stage, kafka_topic, append_time, kafka_partition, kafka_offset)
TTL toDateTime(append_time) + INTERVAL 100 DAY
