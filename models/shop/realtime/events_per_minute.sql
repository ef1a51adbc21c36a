/* millrace
description: Events per type in 1-minute tumbling windows of event time.
inputs: [user_events]
order_by: [window_start, event_type]
ttl: 90 days
*/
SELECT
    toStartOfMinute(event_time) AS window_start,
    window_start + INTERVAL 1 MINUTE AS window_end,
    event_type,
    sumSimpleState(1) AS event_count
FROM user_events
GROUP BY window_start, window_end, event_type
