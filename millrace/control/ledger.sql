-- The ledger: per source and interval, what came in and what became of it.
CREATE TABLE IF NOT EXISTS ops.ledger (
    source         text NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end   timestamptz NOT NULL,
    run_id         text NOT NULL,
    kafka_acked    bigint,
    bronze         bigint NOT NULL,
    quarantined    bigint NOT NULL,
    silver         bigint NOT NULL,
    duplicates     bigint NOT NULL,
    rejected       bigint NOT NULL,
    reasons        jsonb NOT NULL DEFAULT '{}',
    written_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, interval_start, interval_end)
);
ALTER TABLE ops.ledger ADD COLUMN IF NOT EXISTS doubled bigint NOT NULL DEFAULT 0;
ALTER TABLE ops.ledger ADD COLUMN IF NOT EXISTS copies jsonb NOT NULL DEFAULT '{}';
ALTER TABLE ops.ledger ADD COLUMN IF NOT EXISTS problems text[] NOT NULL DEFAULT '{}';
