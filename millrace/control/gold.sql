-- What each partition of a gold table, or of its copy in ClickHouse, was last made of, and what came of it.
CREATE TABLE IF NOT EXISTS ops.gold_partitions (
    table_path text NOT NULL,
    part       text NOT NULL,
    inputs     text NOT NULL,
    outcome    text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_path, part)
);
