SELECT
  step_id,
  unit_id,
  case_kind,
  category,
  SUM(met_n) AS met_n,
  SUM(breached_n) AS breached_n,
  SUM(pending_n) AS pending_n,
  SUM(overrun_sum_ms) AS overrun_sum_ms,
  ratio(SUM(met_n), SUM(met_n) + SUM(breached_n)) AS compliance_ratio,
  SUM(n) AS n
FROM parts.sla_compliance
GROUP BY step_id, unit_id, case_kind, category
HAVING SUM(n) > 0
