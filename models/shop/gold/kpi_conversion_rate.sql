/* millrace
description: The share of a day's events that are purchases.
inputs: [silver.user_events]
partition: event_date
serve: {database: gold, table: conversion_rate_daily}
*/
SELECT
    event_date,
    count_if(event_type = 'purchase') / count(*) AS conversion_rate,
    count_if(event_type = 'purchase') AS purchases,
    count(*) AS total_events
FROM user_events
GROUP BY event_date
