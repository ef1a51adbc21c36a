-- Each streaming query minute by minute: throughput, lag, batch duration and state.
CREATE OR REPLACE VIEW ops.stream_minutes AS
SELECT
    toStartOfMinute(at) AS minute,
    query,
    sum(rows) AS records,
    sum(rows) / 60 AS records_per_second,
    count() AS batches,
    quantile(0.5)(batch_ms) AS batch_ms_p50,
    quantile(0.95)(batch_ms) AS batch_ms_p95,
    max(batch_ms) AS batch_ms_max,
    max(lag_records) AS lag_records_max,
    max(freshness_ms) / 1000 AS lag_seconds_max,
    argMax(state_rows, at) AS state_rows,
    argMax(state_bytes, at) AS state_bytes
FROM ops.stream_progress
GROUP BY minute, query
