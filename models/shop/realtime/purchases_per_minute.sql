/* millrace
description: Purchases in 1-minute tumbling windows of event time.
inputs: [user_events]
order_by: [window_start]
ttl: 90 days
*/
SELECT
    toStartOfMinute(event_time) AS window_start,
    window_start + INTERVAL 1 MINUTE AS window_end,
    sumSimpleState(1) AS purchase_count
FROM user_events
WHERE event_type = 'purchase'
GROUP BY window_start, window_end
