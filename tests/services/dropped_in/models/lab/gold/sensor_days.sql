/* millrace
description: Readings and the highest temperature per sensor and day.
inputs: [silver.readings]
partition: event_date
serve: {database: gold}
*/
SELECT
    event_date,
    sensor,
    count(*) AS readings,
    max(celsius) AS max_celsius
FROM readings
GROUP BY event_date, sensor
