-- The newest gate of every table: how it went, and over how many rows.
CREATE OR REPLACE VIEW ops.gate_results_latest AS
SELECT
    layer,
    `table`,
    `interval`,
    multiIf(broken_critical > 0, 'failed', broken > 0, 'warned', 'passed') AS outcome,
    rows,
    rules,
    broken,
    broken_critical,
    gate_id,
    ran_at
FROM
(
    SELECT
        layer, `table`, `interval`, gate_id, ran_at, any(element_count) AS rows, count() AS rules,
        countIf(NOT success) AS broken, countIf(NOT success AND severity = 'critical') AS broken_critical
    FROM ops.gate_results FINAL
    GROUP BY layer, `table`, `interval`, gate_id, ran_at
    ORDER BY ran_at DESC
    LIMIT 1 BY layer, `table`
)
ORDER BY layer, `table`
