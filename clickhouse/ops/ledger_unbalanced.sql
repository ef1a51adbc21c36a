-- Where the ledger does not balance, one row per problem, newest interval first.
CREATE OR REPLACE VIEW ops.ledger_unbalanced AS
SELECT source, interval_start, interval_end, arrayJoin(problems) AS problem, written_at, run_id
FROM ops.ledger FINAL
WHERE NOT balances
ORDER BY interval_start DESC, source
