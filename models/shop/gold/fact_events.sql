/* millrace
description: One row per event of a visitor, cleaned and free of duplicates.
inputs: [silver.user_events]
partition: event_date
insert_key: [event_id]
*/
SELECT
    event_id,
    user_id,
    event_type,
    page,
    event_time,
    source,
    event_date,
    append_time
FROM user_events
