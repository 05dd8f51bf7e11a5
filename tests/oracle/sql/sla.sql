-- M19: the five steps of complaints and of rescues (domain 3.5, K18).

CREATE TABLE sla_policy AS
SELECT * FROM (VALUES
    ('CMP', 'COMPLAINT'),
    ('RSC', 'RESCUE')
) k (prefix, case_kind),
(VALUES
    ('PROMISE_30M', 30 * 60000),
    ('DEPT_10M', 10 * 60000),
    ('INFORM_20M', 20 * 60000),
    ('SUPERVISE_12H', 12 * 3600000),
    ('CALLBACK_24H', 24 * 3600000)
) s (step, limit_ms);

CREATE TABLE service_case AS
WITH opened AS (
    SELECT *
    FROM complaints
    WHERE event_type = 'case.opened'
    QUALIFY row_number() OVER (PARTITION BY customer_id, case_id ORDER BY stamp) = 1
),
history AS (
    SELECT
        customer_id,
        case_id,
        arg_min(call_ended_at, stamp) FILTER (WHERE event_type = 'case.call_ended') AS call_ended_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.dept_notified') AS dept_notified_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.dept_notified' AND resolver_id IS NOT NULL)
            AS resolver_named_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.customer_informed') AS informed_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.customer_informed' AND what = 'NOTICE_RESULT')
            AS result_told_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.progress_checked') AS progress_checked_at,
        min(occurred_at) FILTER (WHERE event_type = 'case.answered' AND at_once) AS answered_at_once_at,
        coalesce(bool_or(resolution_kind = 'WITHDRAWN') FILTER (WHERE event_type = 'case.closed'), false)
            AS is_withdrawn
    FROM complaints
    WHERE case_id IS NOT NULL
    GROUP BY customer_id, case_id
),
reply_promise AS (
    SELECT DISTINCT customer_id, promise_id
    FROM complaints
    WHERE event_type IN ('promise.made', 'promise.kept') AND promise_kind = 'REPLY'
),
reply AS (
    SELECT customer_id, case_id, min(kept_at) AS reply_kept_at
    FROM complaints
    JOIN reply_promise USING (customer_id, promise_id)
    WHERE event_type = 'promise.kept'
    GROUP BY ALL
),
callback AS (
    SELECT customer_id, base_ref AS case_id, min(occurred_at) AS called_back_at
    FROM complaints
    WHERE event_type = 'callback.attempted' AND base = 'CASE' AND outcome = 'REACHED'
    GROUP BY ALL
)
SELECT
    o.customer_id,
    o.case_id,
    o.case_kind,
    coalesce(o.unit_id, 'UNKNOWN') AS unit_id,
    CASE
        WHEN o.category IN (
            'ORDER', 'ALLOCATION_SUPPLY', 'DELIVERY', 'SETTLEMENT', 'PRICE', 'PRODUCT_QUALITY', 'RETURN_EXCHANGE',
            'REPAIR', 'STAFF_CONDUCT', 'OTHER_CUSTOMER', 'PROMOTION', 'POLICY_LAW', 'OPERATION_HELP', 'OTHER'
        ) THEN o.category
        ELSE 'UNKNOWN'
    END AS category,
    coalesce(h.call_ended_at, o.received_at) AS base_at,
    coalesce(h.dept_notified_at, base_at + 10 * 60000) AS dept_base_at,
    h.* EXCLUDE (customer_id, case_id, call_ended_at),
    least(r.reply_kept_at, h.informed_at) AS promise_kept_at,  -- NULLs do not count
    c.called_back_at
FROM opened o
JOIN history h USING (customer_id, case_id)
LEFT JOIN reply r USING (customer_id, case_id)
LEFT JOIN callback c USING (customer_id, case_id)
WHERE NOT h.is_withdrawn
    -- an answered phone case without a hang-up is waited for before the fall-back to `received_at` applies; K34: a call is
    -- answered unless its opening says that it was not
    AND NOT coalesce(
        o.channel = 'PHONE' AND coalesce(o.answered, true) AND h.call_ended_at IS NULL
            AND getvariable('clock') < o.received_at + 2 * 3600000,
        false
    );

CREATE TABLE sla_step AS
SELECT
    c.customer_id,
    c.case_id,
    p.prefix || '_' || p.step AS step_id,
    c.unit_id,
    c.case_kind,
    c.category,
    CASE WHEN p.step IN ('INFORM_20M', 'SUPERVISE_12H') THEN c.dept_base_at ELSE c.base_at END AS started_at,
    started_at + p.limit_ms AS deadline,
    CASE p.step
        WHEN 'PROMISE_30M' THEN c.promise_kept_at
        WHEN 'DEPT_10M' THEN CASE p.prefix WHEN 'RSC' THEN c.resolver_named_at ELSE c.dept_notified_at END
        WHEN 'INFORM_20M' THEN c.result_told_at
        WHEN 'SUPERVISE_12H' THEN c.progress_checked_at
        ELSE c.called_back_at
    END AS stopped_at,
    CASE
        WHEN stopped_at <= deadline THEN 'MET'
        WHEN stopped_at IS NULL AND getvariable('clock') < deadline THEN 'PENDING'
        ELSE 'BREACHED'
    END AS outcome
FROM service_case c
JOIN sla_policy p USING (case_kind)
-- K34: the steps that were not over yet do not apply to a case that was answered at once
WHERE c.answered_at_once_at IS NULL OR c.answered_at_once_at > deadline;

CREATE TABLE sla_compliance AS
SELECT
    window_kind,
    instant(day_start(first_day)) AS window_start,
    instant(day_start(window_last(window_kind, first_day))) AS window_end,
    step_id,
    unit_id,
    case_kind,
    category,
    count(*) FILTER (WHERE outcome = 'MET') AS met_n,
    count(*) FILTER (WHERE outcome = 'BREACHED') AS breached_n,
    count(*) FILTER (WHERE outcome = 'PENDING') AS pending_n,
    coalesce(sum(stopped_at - deadline) FILTER (WHERE outcome = 'BREACHED'), 0) AS overrun_sum_ms,
    met_n / nullif(met_n + breached_n, 0)::DOUBLE AS compliance_ratio,
    count(*) AS n
FROM (
    SELECT *, window_first(window_kind, local_day(deadline)) AS first_day
    FROM sla_step, (VALUES ('D1'), ('W1')) k (window_kind)
)
WHERE closed(window_last(window_kind, first_day))
GROUP BY window_kind, first_day, step_id, unit_id, case_kind, category;
