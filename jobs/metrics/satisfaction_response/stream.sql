-- metric: M18 satisfaction_response
-- facts: survey_invitations
-- windows: W1
-- clock: complaints
--
-- Response to surveys (答复率): of the invitations sent in the window, how many were answered, whenever that was (K17).
SELECT
  unit_id,
  survey_tool,
  class_id,
  area_unit_id,
  customer_kind,
  SUM(sent_n) AS sent_n,
  SUM(answered_of_sent_n) AS answered_of_sent_n
FROM facts.survey_invitations
GROUP BY unit_id, survey_tool, class_id, area_unit_id, customer_kind
