/* millrace
description: Orders per day.
inputs: [silver.orders]
partition: event_date
serve: {database: gold}
*/
SELECT event_date, count(*) AS orders FROM orders GROUP BY event_date
