-- What is open now, critical before warning, newest first.
CREATE OR REPLACE VIEW ops.alerts_open AS
SELECT at, severity, kind, subject, message, times, run_id, changed_at, id
FROM ops.alerts FINAL
WHERE resolved_at IS NULL
ORDER BY severity, at DESC
