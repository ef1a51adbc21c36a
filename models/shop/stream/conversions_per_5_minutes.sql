/* millrace
description: Share of purchases among all events, in 5-minute tumbling windows of event time.
inputs: [user_events]
watermark: 2 minutes
key: [window_start]
topic: shop-conversions
*/
SELECT
    window.start AS window_start,
    window.end AS window_end,
    count(*) AS events,
    count_if(event_type = 'purchase') AS purchases,
    count_if(event_type = 'purchase') / count(*) AS conversion_rate
FROM user_events
GROUP BY window(event_time, '5 minutes')
