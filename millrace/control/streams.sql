-- Stream groups: what is wished, who holds the lease, and where landing stands.
CREATE SCHEMA IF NOT EXISTS ops;

CREATE TABLE IF NOT EXISTS ops.stream_groups (
    group_name       text PRIMARY KEY,
    desired          text NOT NULL DEFAULT 'running' CHECK (desired IN ('running', 'paused', 'drained')),
    desired_by       text,
    desired_at       timestamptz,
    epoch            bigint NOT NULL DEFAULT 0,
    holder           text,
    pid              integer,
    host             text,
    state            text NOT NULL DEFAULT 'stopped',
    lease_until      timestamptz,
    launched_at      timestamptz,
    started_at       timestamptz,
    heartbeat_at     timestamptz,
    last_progress_at timestamptz,
    fingerprint      text,
    attempts         integer NOT NULL DEFAULT 0,
    last_error       text
);

-- proved_at: when every query of the driver had finished a batch. given_up: fingerprint of what ran when supervision gave up.
ALTER TABLE ops.stream_groups ADD COLUMN IF NOT EXISTS proved_at timestamptz, ADD COLUMN IF NOT EXISTS given_up text;

CREATE TABLE IF NOT EXISTS ops.landing_offsets (
    source          text NOT NULL,
    kafka_partition integer NOT NULL,
    next_offset     bigint NOT NULL,
    committed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, kafka_partition)
);
