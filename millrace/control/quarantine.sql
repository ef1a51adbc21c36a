-- Plans to replay or discard quarantined records, and what was decided about each record.
CREATE TABLE IF NOT EXISTS ops.quarantine_plans (
    plan_id      text PRIMARY KEY,
    source       text NOT NULL,
    request      jsonb NOT NULL,
    lake_version bigint NOT NULL,
    report       jsonb NOT NULL,
    planned_at   timestamptz NOT NULL DEFAULT now(),
    applied_by   text,
    applied_at   timestamptz,
    result       jsonb
);
CREATE INDEX IF NOT EXISTS quarantine_plans_newest ON ops.quarantine_plans (planned_at);

CREATE TABLE IF NOT EXISTS ops.quarantine_decisions (
    source          text NOT NULL,
    stage           text NOT NULL,
    kafka_topic     text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL,
    append_time     timestamptz NOT NULL,
    decision        text NOT NULL CHECK (decision IN ('replayed', 'superseded', 'discarded')),
    plan_id         text NOT NULL REFERENCES ops.quarantine_plans,
    why             text NOT NULL,
    decided_by      text NOT NULL,
    decided_at      timestamptz NOT NULL DEFAULT now(),
    to_partition    integer,
    to_offset       bigint,
    PRIMARY KEY (source, stage, kafka_topic, kafka_partition, kafka_offset)
);
CREATE INDEX IF NOT EXISTS quarantine_decisions_newest ON ops.quarantine_decisions (source, decided_at);
