/* millrace
description: One row per page with its popularity, over all days.
inputs: [gold.page_days]
key: [page]
serve: {database: gold}
*/
SELECT
    page,
    sum(event_count) AS total_events,
    max(visitor_count) AS best_day_visitors,
    sum(purchase_count) AS purchase_count,
    count(*) AS active_days,
    min(first_seen) AS first_seen,
    max(last_seen) AS last_seen
FROM page_days
GROUP BY page
