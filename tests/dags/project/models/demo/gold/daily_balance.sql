/* millrace
description: Orders less refunds, per day.
owner: demo-finance
inputs: [gold.daily_orders, silver.refunds]
partition: event_date
*/
SELECT o.event_date, max(o.orders) - count(r.order_id) AS balance
FROM daily_orders AS o LEFT JOIN refunds AS r ON o.event_date = r.event_date
GROUP BY o.event_date
