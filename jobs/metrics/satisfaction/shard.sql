-- Sums per calendar week, numbered by how many weeks they end before the window does (0 = the window itself): the same respondents'
-- dimensions may live in several shards, so the trend waits for all of them.
SELECT
  (CAST($window_end_date AS INT) - 1 - CAST(pane AS INT)) / 7 AS weeks_before,
  question_id,
  unit_id,
  survey_tool,
  class_id,
  area_unit_id,
  customer_kind,
  SUM(answers_n) AS answers_n,
  SUM(satisfied_n) AS satisfied_n,
  SUM(score_sum) AS score_sum
FROM panes.satisfaction
WHERE pane < $window_end_date
  AND CAST(pane AS INT) >= CAST($window_end_date AS INT) - 56
GROUP BY weeks_before, question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind
HAVING SUM(answers_n) > 0
