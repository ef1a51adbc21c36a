/* millrace
description: What each visitor did on each day; dim_users adds the days up, so that an hour costs one day of events.
inputs: [silver.user_events]
partition: event_date
*/
SELECT
    event_date,
    user_id,
    count(*) AS event_count,
    count_if(source = 'web') AS web_events,
    count_if(source = 'mobile') AS mobile_events,
    count_if(event_type = 'purchase') AS purchase_count,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM user_events
GROUP BY event_date, user_id
