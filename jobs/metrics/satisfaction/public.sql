-- csat = satisfied / answers; score = (mean - 1) / 4 x 100. The trend (趋势) is the least-squares slope of the weekly scores, in points a
-- week, over the eight calendar weeks that end with the row's; with fewer than six weeks that have answers there is none (K17).
WITH weekly AS (
  SELECT
    weeks_before,
    question_id,
    unit_id,
    survey_tool,
    class_id,
    area_unit_id,
    customer_kind,
    SUM(answers_n) AS answers_n,
    SUM(satisfied_n) AS satisfied_n,
    SUM(score_sum) AS score_sum
  FROM parts.satisfaction
  GROUP BY weeks_before, question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind
),
scored AS (
  SELECT *, ratio(25 * (score_sum - answers_n), answers_n) AS score FROM weekly
)
SELECT
  question_id,
  unit_id,
  survey_tool,
  class_id,
  area_unit_id,
  customer_kind,
  SUM(CASE WHEN weeks_before = 0 THEN answers_n END) AS answers_n,
  SUM(CASE WHEN weeks_before = 0 THEN satisfied_n END) AS satisfied_n,
  SUM(CASE WHEN weeks_before = 0 THEN score_sum END) AS score_sum,
  ratio(
    SUM(CASE WHEN weeks_before = 0 THEN satisfied_n END),
    SUM(CASE WHEN weeks_before = 0 THEN answers_n END)) AS csat_ratio,
  MAX(CASE WHEN weeks_before = 0 THEN score END) AS score,
  CASE WHEN COUNT(*) >= 6 THEN slope_per_step(CAST(-weeks_before AS BIGINT), score) END AS slope_per_week,
  SUM(CASE WHEN weeks_before = 0 THEN answers_n END) AS n
FROM scored
GROUP BY question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind
HAVING SUM(CASE WHEN weeks_before = 0 THEN answers_n END) > 0
