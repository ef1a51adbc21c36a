/* millrace
description: Readings and mean temperature per sensor and minute.
inputs: [readings]
order_by: [window_start, sensor]
*/
SELECT
    toStartOfMinute(event_time) AS window_start,
    sensor,
    sumSimpleState(1) AS readings,
    avgState(celsius) AS mean_celsius
FROM readings
GROUP BY window_start, sensor
