-- Alerts: what somebody must look at; at most one is open for each kind and subject.
CREATE TABLE IF NOT EXISTS ops.alerts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('critical', 'warning')),
    subject     text NOT NULL,
    message     text NOT NULL,
    run_id      text,
    at          timestamptz NOT NULL DEFAULT now(),
    times       integer NOT NULL DEFAULT 1,
    resolved_at timestamptz,
    resolved_by text,
    changed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX IF NOT EXISTS alerts_open ON ops.alerts (kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX IF NOT EXISTS alerts_changed ON ops.alerts (changed_at);
