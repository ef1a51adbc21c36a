-- What gates refused or warned of in the last day, newest first.
CREATE OR REPLACE VIEW ops.gate_results_failed AS
SELECT
    ran_at, layer, `table`, `interval`, severity, rule, `column`, expected, unexpected_count, element_count, observed,
    sample, gate_id, run_id
FROM ops.gate_results FINAL
WHERE NOT success AND ran_at > now() - INTERVAL 1 DAY
ORDER BY ran_at DESC, rule_number
