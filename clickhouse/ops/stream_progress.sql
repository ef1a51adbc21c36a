-- One row for each finished micro-batch of each streaming query.
CREATE TABLE IF NOT EXISTS ops.stream_progress
(
    at DateTime64(3, 'UTC'),
    stream_group LowCardinality(String),
    epoch UInt64,
    query LowCardinality(String),
    batch_id UInt64,
    rows UInt64,
    rows_per_second Float64,
    lag_records UInt64 COMMENT 'records that the query has not read yet: in Kafka, or of a stream model in its live table',
    batch_ms UInt32,
    event_time_max Nullable(DateTime64(3, 'UTC')) COMMENT 'newest event time of the batch',
    watermark Nullable(DateTime64(3, 'UTC')),
    append_time_max Nullable(DateTime64(3, 'UTC')) COMMENT 'newest append time of the batch',
    freshness_ms Nullable(Int64) COMMENT 'from the newest append time to the end of the batch',
    state_rows UInt64,
    state_bytes UInt64,
    durations Map(LowCardinality(String), UInt32) COMMENT 'milliseconds per phase of the batch'
)
ENGINE = MergeTree
PARTITION BY toDate(at)
ORDER BY (stream_group, query, at)
TTL toDateTime(at) + INTERVAL 14 DAY
