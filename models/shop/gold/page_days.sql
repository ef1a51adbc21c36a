/* millrace
description: What happened on each page on each day; dim_pages adds the days up, so that an hour costs one day of events.
inputs: [silver.user_events]
partition: event_date
*/
SELECT
    event_date,
    page,
    count(*) AS event_count,
    count(DISTINCT user_id) AS visitor_count,
    count_if(event_type = 'purchase') AS purchase_count,
    min(event_time) AS first_seen,
    max(event_time) AS last_seen
FROM user_events
GROUP BY event_date, page
