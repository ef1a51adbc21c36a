/* millrace
description: Logins per channel in 1-minute tumbling windows of event time.
inputs: [user_events]
order_by: [window_start, source]
ttl: 90 days
*/
SELECT
    toStartOfMinute(event_time) AS window_start,
    window_start + INTERVAL 1 MINUTE AS window_end,
    source,
    sumSimpleState(1) AS login_count
FROM user_events
WHERE event_type = 'login'
GROUP BY window_start, window_end, source
