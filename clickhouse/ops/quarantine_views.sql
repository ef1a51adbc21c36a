-- Every record of the index with what was decided about it, and the group that it belongs to: its reason without what
-- differs from record to record, under a short id. millrace/quarantine/reason.py has the same rules, for the lake.
CREATE OR REPLACE VIEW ops.quarantine_records AS
SELECT
    q.source AS source,
    q.stage AS stage,
    q.reason AS reason,
    if(
        substring(q.reason, position(q.reason, ', found ')) = ', found nothing',
        q.reason,
        replaceRegexpOne(replaceRegexpOne(replaceRegexpOne(replaceRegexpOne(
            q.reason,
            '(?s), found .*', ', found ...'),
            '(?s)the key .* twice', 'the key ... twice'),
            'schema id [0-9]+', 'schema id ...'),
            'record of [0-9]+ bytes', 'record of ... bytes')
    ) AS reason_group,
    lower(substring(hex(SHA256(concat(q.source, '|', q.stage, '|', reason_group))), 1, 8)) AS group_id,
    q.kafka_topic AS kafka_topic,
    q.kafka_partition AS kafka_partition,
    q.kafka_offset AS kafka_offset,
    q.append_time AS append_time,
    if(d.decision = '', 'open', d.decision) AS decision,
    d.plan_id AS plan_id,
    d.why AS why,
    d.decided_by AS decided_by,
    if(d.decision = '', NULL, d.decided_at) AS decided_at,
    d.to_partition AS to_partition,
    d.to_offset AS to_offset
FROM (SELECT * FROM ops.quarantine FINAL) AS q
LEFT JOIN (SELECT * FROM ops.quarantine_decisions FINAL) AS d
    ON q.source = d.source AND q.stage = d.stage AND q.kafka_topic = d.kafka_topic
    AND q.kafka_partition = d.kafka_partition AND q.kafka_offset = d.kafka_offset;
-- What nobody has decided about yet.
CREATE OR REPLACE VIEW ops.quarantine_open AS
SELECT source, stage, reason, reason_group, group_id, kafka_topic, kafka_partition, kafka_offset, append_time
FROM ops.quarantine_records
WHERE decision = 'open';
-- How many records of each group wait, were replayed, were found to have landed meanwhile, or were discarded.
CREATE OR REPLACE VIEW ops.quarantine_groups AS
SELECT
    group_id,
    source,
    stage,
    reason_group,
    countIf(decision = 'open') AS open,
    countIf(decision = 'replayed') AS replayed,
    countIf(decision = 'superseded') AS superseded,
    countIf(decision = 'discarded') AS discarded,
    min(append_time) AS first_seen,
    max(append_time) AS last_seen
FROM ops.quarantine_records
GROUP BY group_id, source, stage, reason_group
ORDER BY open DESC, last_seen DESC
