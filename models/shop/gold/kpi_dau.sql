/* millrace
description: Distinct visitors per day.
inputs: [silver.user_events]
partition: event_date
serve: {database: gold, table: daily_active_users}
*/
SELECT
    event_date,
    count(DISTINCT user_id) AS dau_count
FROM user_events
GROUP BY event_date
