-- Each streaming query now: how far behind in records and seconds, how fast, how long its batches take, its state.
-- `lag_seconds` is the time since the newest record that was read, while others wait; `latency_seconds` is what the last
-- batch took from the append of its newest record to its end; `silent_seconds` counts since then.
CREATE OR REPLACE VIEW ops.stream_health AS
SELECT
    query,
    argMax(p.lag_records, p.at) AS lag_records,
    if(
        argMax(p.lag_records, p.at) = 0,
        0,
        dateDiff('millisecond', argMax(p.append_time_max, p.at), now64(3)) / 1000) AS lag_seconds,
    argMax(p.freshness_ms, p.at) / 1000 AS latency_seconds,
    sumIf(p.rows, p.at > now() - INTERVAL 1 MINUTE) / 60 AS records_per_second,
    countIf(p.at > now() - INTERVAL 1 MINUTE) AS batches_per_minute,
    quantileOrNullIf(0.5)(p.batch_ms, p.at > now() - INTERVAL 10 MINUTE) AS batch_ms_p50,
    quantileOrNullIf(0.95)(p.batch_ms, p.at > now() - INTERVAL 10 MINUTE) AS batch_ms_p95,
    argMax(p.state_rows, p.at) AS state_rows,
    argMax(p.state_bytes, p.at) AS state_bytes,
    argMax(p.watermark, p.at) AS watermark,
    max(p.at) AS last_batch_at,
    dateDiff('second', last_batch_at, now()) AS silent_seconds,
    argMax(p.stream_group, p.at) AS stream_group,
    argMax(p.epoch, p.at) AS epoch
FROM ops.stream_progress AS p
WHERE p.at > now() - INTERVAL 1 DAY
GROUP BY query
ORDER BY query
