-- A person's word that records which Kafka no longer has may be given up, and what was then given up.
CREATE TABLE IF NOT EXISTS ops.accepted_losses (
    source      text NOT NULL,
    accepted_by text NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS ops.lost_records (
    query           text NOT NULL,
    source          text NOT NULL,
    kafka_partition integer NOT NULL,
    first_offset    bigint NOT NULL,
    end_offset      bigint NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (query, kafka_partition, first_offset)
);
