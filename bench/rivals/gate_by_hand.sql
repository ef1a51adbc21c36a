-- The 20 rules of gate_suite.json as one aggregate, written by hand: what a gate can cost at least.
SELECT
    count(*) AS candidate_rows,
    count_if(event_id IS NULL) AS event_id_null,
    count_if(user_id IS NULL) AS user_id_null,
    count_if(event_type IS NULL) AS event_type_null,
    count_if(page IS NULL) AS page_null,
    count_if(event_time IS NULL) AS event_time_null,
    count_if(source IS NULL) AS source_null,
    count_if(event_date IS NULL) AS event_date_null,
    count_if(append_time IS NULL) AS append_time_null,
    count_if(append_hour IS NULL) AS append_hour_null,
    count_if(kafka_partition IS NULL) AS kafka_partition_null,
    count_if(kafka_offset IS NULL) AS kafka_offset_null,
    (
        SELECT coalesce(sum(n), 0)
        FROM (SELECT count(*) AS n FROM bench_candidates GROUP BY event_id HAVING count(*) > 1)
    ) AS event_id_repeated,
    (
        SELECT coalesce(sum(n), 0)
        FROM (SELECT count(*) AS n FROM bench_candidates GROUP BY kafka_partition, kafka_offset HAVING count(*) > 1)
    ) AS position_repeated,
    count_if(NOT user_id RLIKE '^[0-9a-f]{64}$') AS user_id_malformed,
    count_if(event_type NOT IN ('login', 'click', 'purchase', 'logout')) AS event_type_unknown,
    count_if(source NOT IN ('web', 'mobile')) AS source_unknown,
    count_if(event_time < TIMESTAMP '2000-01-01 00:00:00') AS event_time_early,
    count_if(NOT page RLIKE '^/[A-Za-z0-9/_.~%-]*$') AS page_malformed,
    count_if(length(page) NOT BETWEEN 1 AND 2000) AS page_length,
    count_if(processed_timestamp < append_time) AS processed_early
FROM bench_candidates
