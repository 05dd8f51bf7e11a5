-- M01: requested, allocated, delivered, returned and cancelled quantity and value per SKU, territory and class.
CREATE TABLE demand_orders AS
WITH fact AS (
    SELECT
        k.window_kind,
        window_first(k.window_kind, local_day(f.occurred_at)) AS first_day,
        f.*,
        CASE WHEN step <> 'unmet' AND price_fen IS NULL THEN qty ELSE 0 END AS unpriced,
        qty::HUGEINT * coalesce(price_fen, 0) AS value_fen,
        step = 'requested' AND c.order_id IS NOT NULL AS is_censored
    FROM order_fact f
    LEFT JOIN censored_order c USING (customer_id, order_id, sku_id),
        (VALUES ('D1'), ('W1')) k (window_kind)
)
SELECT
    window_kind,
    instant(day_start(first_day)) AS window_start,
    instant(day_start(window_last(window_kind, first_day))) AS window_end,
    sku_id,
    territory_id,
    class_id,
    coalesce(sum(qty) FILTER (WHERE step = 'requested'), 0) AS requested_qty,
    coalesce(sum(value_fen) FILTER (WHERE step = 'requested'), 0) AS requested_fen,
    coalesce(sum(qty) FILTER (WHERE step = 'allocated'), 0) AS allocated_qty,
    coalesce(sum(value_fen) FILTER (WHERE step = 'allocated'), 0) AS allocated_fen,
    coalesce(sum(qty) FILTER (WHERE step = 'delivered'), 0) AS delivered_qty,
    coalesce(sum(value_fen) FILTER (WHERE step = 'delivered'), 0) AS delivered_fen,
    coalesce(sum(qty) FILTER (WHERE step = 'returned'), 0) AS returned_qty,
    coalesce(sum(value_fen) FILTER (WHERE step = 'returned'), 0) AS returned_fen,
    coalesce(sum(qty) FILTER (WHERE step = 'cancelled'), 0) AS cancelled_qty,
    coalesce(sum(value_fen) FILTER (WHERE step = 'cancelled'), 0) AS cancelled_fen,
    coalesce(sum(qty) FILTER (WHERE step = 'unmet'), 0) AS unmet_qty,
    sum(unpriced) AS unpriced_qty,
    coalesce(sum(qty) FILTER (WHERE step = 'requested' AND is_emergency), 0) AS emergency_requested_qty,
    count(DISTINCT (customer_id, order_id)) FILTER (WHERE step = 'requested') AS orders,
    count(DISTINCT customer_id) FILTER (WHERE step = 'requested') AS customers,
    count(DISTINCT (customer_id, order_id)) FILTER (WHERE is_censored) AS censored_orders_n,
    count(*) AS n
FROM fact
WHERE closed(window_last(window_kind, first_day))
GROUP BY window_kind, first_day, sku_id, territory_id, class_id;

-- The feed: a series per SKU and territory has each day with demand and max_gap_days after it, up to the last day that is
-- closed and holds a fact of any series (K43).
CREATE TABLE demand_daily AS
WITH daily AS (
    SELECT
        -- K42
        concat_ws('|', in_list(sku_id), in_list(territory_id)) AS unique_id,
        sku_id,
        territory_id,
        local_day(epoch_ms(window_start)) AS ds,
        sum(requested_qty) AS y,
        sum(allocated_qty) AS y_allocated,
        sum(delivered_qty) AS y_delivered,
        sum(returned_qty) AS returned,
        sum(unmet_qty) AS unmet_qty,
        -- K27: the counted orders of the day say so
        CASE WHEN sum(orders) > 0 THEN sum(censored_orders_n) > 0 END AS censored
    FROM demand_orders
    -- K41: the feed passes over what lies too far ahead
    WHERE window_kind = 'D1' AND local_day(epoch_ms(window_start)) <= local_day(getvariable('believed_until'))
    GROUP BY ALL
),
with_next AS (
    SELECT
        unique_id,
        sku_id,
        territory_id,
        ds,
        coalesce(lead(ds) OVER (PARTITION BY unique_id ORDER BY ds) - 1, (SELECT max(ds) FROM daily)) AS until
    FROM daily
    WHERE y > 0
),
grid AS (
    SELECT
        unique_id,
        sku_id,
        territory_id,
        ds + unnest(range(0, least(until - ds, getvariable('max_gap_days')) + 1))::INTEGER AS ds
    FROM with_next
),
-- K27: where no counted order says for which class, any class will do.
unplanned AS (
    SELECT grid.unique_id, grid.ds
    FROM grid
    JOIN sku_version s
        ON s.sku_id = grid.sku_id AND s.supply_status = 'CONSTRAINED'
        AND s.valid_from <= day_end(grid.ds) AND day_end(grid.ds) < s.valid_until
    LEFT JOIN territory_version t
        ON t.territory_id = grid.territory_id
        AND t.valid_from <= day_end(grid.ds) AND day_end(grid.ds) < t.valid_until
    WHERE NOT EXISTS (
        SELECT 1
        FROM plan_version p
        WHERE p.sku_id = grid.sku_id AND p.class_id <> 'UNKNOWN'
            AND covers(p.area_unit_id, coalesce(t.area_unit_id, 'UNKNOWN'))
            AND p.valid_from <= day_end(grid.ds) AND day_end(grid.ds) < p.valid_until
    )
)
SELECT
    grid.unique_id,
    grid.ds,
    coalesce(y, 0) AS y,
    coalesce(y_allocated, 0) AS y_allocated,
    coalesce(y_delivered, 0) AS y_delivered,
    coalesce(returned, 0) AS returned,
    coalesce(unmet_qty, 0) AS unmet_qty,
    coalesce(censored, unplanned.unique_id IS NOT NULL) AS censored,
    daily.unique_id IS NULL AS is_zero_filled
FROM grid
LEFT JOIN daily USING (unique_id, ds)
LEFT JOIN unplanned USING (unique_id, ds);
