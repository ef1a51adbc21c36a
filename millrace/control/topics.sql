-- Which topic a query has read: one that is made anew under the same name has another id, and its offsets start again.
CREATE TABLE IF NOT EXISTS ops.topics_read (
    query    text NOT NULL,
    topic    text NOT NULL,
    topic_id text NOT NULL,
    since    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, topic)
);
