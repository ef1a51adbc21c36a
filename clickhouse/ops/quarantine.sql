-- Index of every record that could not go on; the payload stays in the lake and in the dead-letter topic.
CREATE TABLE IF NOT EXISTS ops.quarantine
(
    source LowCardinality(String),
    stage LowCardinality(String),
    reason String,
    kafka_topic LowCardinality(String),
    kafka_partition Int32,
    kafka_offset Int64,
    append_time DateTime64(6, 'UTC'),
    ingestion_timestamp DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(ingestion_timestamp)
PARTITION BY toYYYYMM(append_time)
ORDER BY (source, stage, append_time, kafka_partition, kafka_offset)
TTL toDateTime(append_time) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000
