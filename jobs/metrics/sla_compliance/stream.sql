-- metric: M19 sla_compliance
-- facts: sla_steps
-- windows: D1, W1
-- clock: complaints
--
-- Compliance with time limits (时限达成率), per step: compliance = met / (met + breached). A step counts in the window of its deadline, so
-- that a breach without any event has a window; pending ones stand beside it. Withdrawn cases and those answered at once do not count
-- (K18). overrun_sum_ms adds how late the late stops were.
SELECT
  step_id,
  unit_id,
  case_kind,
  category,
  SUM(CASE WHEN outcome = 'MET' THEN 1 ELSE 0 END) AS met_n,
  SUM(CASE WHEN outcome = 'BREACHED' THEN 1 ELSE 0 END) AS breached_n,
  SUM(CASE WHEN outcome = 'PENDING' THEN 1 ELSE 0 END) AS pending_n,
  SUM(COALESCE(overrun_ms, 0)) AS overrun_sum_ms
FROM facts.sla_steps
WHERE outcome IN ('MET', 'BREACHED', 'PENDING')
GROUP BY step_id, unit_id, case_kind, category
