-- metric: M18 satisfaction
-- facts: survey_answers
-- windows: W1
-- clock: complaints
-- look_back: 56d
--
-- Satisfaction (满意度) per question: the share of answers 4 or 5, and the mean on a scale from 0 to 100. Q0 is the overall question.
-- Each scored answer counts when it was given (K17); the look-back is for the trend over eight weeks.
SELECT
  question_id,
  unit_id,
  survey_tool,
  class_id,
  area_unit_id,
  customer_kind,
  COUNT(*) AS answers_n,
  SUM(satisfied_n) AS satisfied_n,
  SUM(score) AS score_sum
FROM facts.survey_answers
GROUP BY question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind
