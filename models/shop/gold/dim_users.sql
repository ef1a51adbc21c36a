/* millrace
description: One row per visitor, over all days.
inputs: [gold.user_days]
key: [user_id]
serve: {database: gold}
*/
SELECT
    user_id,
    sum(event_count) AS total_events,
    sum(web_events) AS web_events,
    sum(mobile_events) AS mobile_events,
    CAST(sum(web_events) > 0 AS INT) + CAST(sum(mobile_events) > 0 AS INT) AS source_count,
    sum(purchase_count) AS purchase_count,
    count(*) AS active_days,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM user_days
GROUP BY user_id
