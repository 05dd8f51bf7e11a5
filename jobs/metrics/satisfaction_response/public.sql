SELECT
  unit_id,
  survey_tool,
  class_id,
  area_unit_id,
  customer_kind,
  SUM(sent_n) AS sent_n,
  SUM(answered_of_sent_n) AS answered_of_sent_n,
  ratio(SUM(answered_of_sent_n), SUM(sent_n)) AS response_ratio,
  SUM(n) AS n
FROM parts.satisfaction_response
GROUP BY unit_id, survey_tool, class_id, area_unit_id, customer_kind
HAVING SUM(n) > 0
