-- Per source and hour of reading: what landing read, what it refused, what silver refused, and the share of both.
CREATE OR REPLACE VIEW ops.error_rate AS
SELECT
    hour,
    source,
    sum(records) AS records,
    sum(refused_by_landing) AS quarantined,
    sum(refused_by_silver) AS rejected,
    if(records = 0, NULL, (quarantined + rejected) / records) AS error_rate
FROM
(
    SELECT
        toStartOfHour(at) AS hour, replaceOne(query, 'landing.', '') AS source, sum(rows) AS records,
        0 AS refused_by_landing, 0 AS refused_by_silver
    FROM ops.stream_progress
    WHERE startsWith(query, 'landing.')
    GROUP BY hour, source
    UNION ALL
    SELECT
        toStartOfHour(ingestion_timestamp) AS hour, source, 0 AS records,
        countIf(stage = 'landing') AS refused_by_landing, countIf(stage = 'silver') AS refused_by_silver
    FROM ops.quarantine FINAL
    GROUP BY hour, source
)
GROUP BY hour, source
ORDER BY hour DESC, source
