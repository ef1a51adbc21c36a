/* millrace
description: Events per day from the web and from mobile devices.
inputs: [silver.user_events]
partition: event_date
serve: {database: gold, table: events_per_source_daily}
*/
SELECT
    event_date,
    source,
    count(*) AS event_count
FROM user_events
GROUP BY event_date, source
