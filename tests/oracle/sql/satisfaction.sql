-- M18: scores, their trend, and how many of the invited answered.
CREATE TABLE survey AS
SELECT
    e.stamp,
    e.event_type,
    e.customer_id,
    e.survey_id,
    week_of(local_day(e.occurred_at)) AS week,
    coalesce(e.unit_id, 'UNKNOWN') AS unit_id,
    coalesce(e.survey_tool, 'UNKNOWN') AS survey_tool,
    coalesce(v.class_id, 'UNKNOWN') AS class_id,
    coalesce(v.area_unit_id, 'UNKNOWN') AS area_unit_id,
    coalesce(v.customer_kind, 'UNKNOWN') AS customer_kind
FROM complaints e
LEFT JOIN customer_version v
    ON v.customer_id = e.customer_id AND v.valid_from <= e.occurred_at AND e.occurred_at < v.valid_until
WHERE e.event_type IN ('survey.sent', 'survey.answered');

CREATE TABLE weekly_score AS
SELECT
    week, question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind,
    count(*) AS answers_n,
    count(*) FILTER (WHERE score >= 4) AS satisfied_n,
    sum(score) AS score_sum,
    (sum(score) - count(*)) * 25 / count(*)::DOUBLE AS score  -- (mean − 1) / 4 × 100
FROM survey s
JOIN complaint_answers a USING (stamp)
WHERE s.event_type = 'survey.answered' AND a.score IS NOT NULL
GROUP BY ALL;

-- K17: least squares over the 8 weeks that end with the row's, if at least 6 of them have one; x = number of the week.
CREATE TABLE satisfaction AS
WITH trend AS (
    SELECT
        r.week, question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind,
        count(*) AS weeks,
        regr_slope(p.score, (p.week - r.week) // 7) AS slope
    FROM weekly_score r
    JOIN weekly_score p USING (question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind)
    WHERE p.week BETWEEN (r.week - 49)::DATE AND r.week
    GROUP BY ALL
)
SELECT
    'W1' AS window_kind,
    instant(day_start(week)) AS window_start,
    instant(day_start((week + 7)::DATE)) AS window_end,
    question_id,
    unit_id,
    survey_tool,
    class_id,
    area_unit_id,
    customer_kind,
    answers_n,
    satisfied_n,
    score_sum,
    satisfied_n / answers_n::DOUBLE AS csat_ratio,
    score,
    CASE WHEN weeks >= 6 THEN slope END AS slope_per_week,
    answers_n AS n
FROM weekly_score
JOIN trend USING (week, question_id, unit_id, survey_tool, class_id, area_unit_id, customer_kind)
WHERE closed((week + 7)::DATE);

-- A survey id is one invitation; it counts in the week of its (first) sending, answered whenever that was.
CREATE TABLE satisfaction_response AS
WITH invitation AS (
    SELECT *
    FROM survey
    WHERE event_type = 'survey.sent'
    QUALIFY row_number() OVER (PARTITION BY customer_id, survey_id ORDER BY stamp) = 1
),
answered AS (
    SELECT DISTINCT customer_id, survey_id, true AS is_answered FROM survey WHERE event_type = 'survey.answered'
)
SELECT
    'W1' AS window_kind,
    instant(day_start(week)) AS window_start,
    instant(day_start((week + 7)::DATE)) AS window_end,
    unit_id,
    survey_tool,
    class_id,
    area_unit_id,
    customer_kind,
    count(*) AS sent_n,
    count(is_answered) AS answered_of_sent_n,
    count(is_answered) / count(*)::DOUBLE AS response_ratio,
    count(*) AS n
FROM invitation
LEFT JOIN answered USING (customer_id, survey_id)
WHERE closed((week + 7)::DATE)
GROUP BY week, unit_id, survey_tool, class_id, area_unit_id, customer_kind;
