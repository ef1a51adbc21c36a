-- Which run works for an interval of a DAG: its own, or another's that has taken several hours together.
CREATE TABLE IF NOT EXISTS ops.hours_taken (
    dag_id         text NOT NULL,
    interval_start timestamptz NOT NULL,
    taken_by       text NOT NULL,
    taken_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dag_id, interval_start)
);
