-- How far `--drain` goes: to the last instant at which a window that holds a fact becomes final (K7), over the facts up to the day
-- of `believed_until` (K41). NULL: no fact lies beyond. One fact further on is closed where its window ends by then.
WITH fact AS (
    -- M01, M02, M03 and M06; the last window that holds one is the one of 28 days that begins with its week
    SELECT
        day, day_start((week_of(day) + 28)::DATE) + getvariable('retail_final_ms') AS final_at
    FROM (
        SELECT local_day(occurred_at) AS day FROM order_fact
        UNION SELECT day FROM sell_through_part
        UNION SELECT local_day(counted_at) FROM stock_count
        UNION SELECT local_day(observed_at) FROM selling_price
    )
    UNION ALL
    -- M18 and M19: its week; a deadline is a fact
    SELECT day, day_start((week_of(day) + 7)::DATE) + getvariable('service_final_ms')
    FROM (
        SELECT local_day(e.occurred_at) AS day
        FROM complaints e JOIN complaint_answers a USING (stamp)
        WHERE e.event_type = 'survey.answered' AND a.score IS NOT NULL
        UNION
        SELECT local_day(min(occurred_at))
        FROM complaints
        WHERE event_type = 'survey.sent'
        GROUP BY customer_id, survey_id
        UNION
        SELECT local_day(deadline) FROM sla_step
    )
),
judged AS (SELECT *, day <= local_day(getvariable('believed_until')) AS is_believed FROM fact)
-- without a believed fact nothing is closed
SELECT CASE WHEN bool_or(NOT is_believed) THEN coalesce(max(final_at) FILTER (WHERE is_believed), 0) END::BIGINT
FROM judged;
