-- M02 and M03: what a retailer sold between two counts, and how long the last count lasts.

-- The counts of a retailer's SKU; of two at one instant the later event holds, in one event the later line.
CREATE TABLE stock_count AS
SELECT e.customer_id, s.sku_id, s.counted_at, s.qty
FROM visits e
JOIN visit_stock s USING (stamp)
QUALIFY row_number() OVER (
    PARTITION BY e.customer_id, s.sku_id, s.counted_at ORDER BY e.stamp DESC, s.item_index DESC
) = 1;

-- Consecutive counts at most 14 days apart, with what was delivered and returned after the first, up to the second.
CREATE TABLE sales_interval AS
WITH counts AS (
    SELECT
        customer_id,
        sku_id,
        counted_at AS t1,
        lead(counted_at) OVER w AS t2,
        qty AS stock1,
        lead(qty) OVER w AS stock2
    FROM stock_count
    WINDOW w AS (PARTITION BY customer_id, sku_id ORDER BY counted_at)
)
SELECT
    c.customer_id,
    c.sku_id,
    c.t1,
    c.t2,
    any_value(c.stock1)::HUGEINT - any_value(c.stock2)
        + coalesce(sum(CASE f.step WHEN 'delivered' THEN f.qty ELSE -f.qty END), 0) AS sell_qty
FROM counts c
LEFT JOIN order_fact f
    ON f.customer_id = c.customer_id AND f.sku_id = c.sku_id AND f.step IN ('delivered', 'returned')
    AND f.occurred_at > c.t1 AND f.occurred_at <= c.t2
WHERE c.t2 - c.t1 <= 14 * 86400000
GROUP BY c.customer_id, c.sku_id, c.t1, c.t2;

-- K11: what was sold up to an instant of the interval, rounded; a part is the difference of two, so that days add up.
CREATE MACRO sold_until(sell_qty, t1, t2, ms) AS
    round_half_up(sell_qty * 1000000 * (least(ms, t2) - t1), t2 - t1);

-- The part of each interval in each local day; a negative interval has one part, without quantity, on the day of t2.
CREATE TABLE sell_through_part AS
WITH daily AS (
    SELECT *, unnest(generate_series(local_day(t1), local_day(t2 - 1), INTERVAL 1 DAY))::DATE AS day
    FROM sales_interval
    WHERE sell_qty >= 0
),
part AS (
    SELECT
        customer_id, sku_id, t2, day, 0 AS negative,
        sold_until(sell_qty, t1, t2, day_start((day + 1)::DATE))
            - sold_until(sell_qty, t1, t2, greatest(day_start(day), t1)) AS millionths
    FROM daily
    UNION ALL
    SELECT customer_id, sku_id, t2, local_day(t2), 1, 0 FROM sales_interval WHERE sell_qty < 0
)
SELECT
    p.*,
    coalesce(v.territory_id, 'UNKNOWN') AS territory_id,
    coalesce(v.class_id, 'UNKNOWN') AS class_id
FROM part p
LEFT JOIN customer_version v
    ON v.customer_id = p.customer_id AND v.valid_from <= p.t2 AND p.t2 < v.valid_until;

CREATE TABLE sell_through AS
SELECT
    'W1' AS window_kind,
    instant(day_start(week_of(day))) AS window_start,
    instant(day_start((week_of(day) + 7)::DATE)) AS window_end,
    customer_id,
    sku_id,
    territory_id,
    class_id,
    decimal6(sum(millionths) FILTER (WHERE negative = 0)) AS sell_through_qty,  -- K32: NULL without a valid interval
    sum(negative) AS negative_intervals,
    count(*) AS n
FROM sell_through_part
WHERE closed((week_of(day) + 7)::DATE)
GROUP BY week_of(day), customer_id, sku_id, territory_id, class_id;

-- M03: a row where a closing count and sell-through both exist; where all intervals are negative, all that follows from
-- sales is NULL (K32).
CREATE TABLE stock_to_sales AS
WITH sold AS (
    SELECT
        week_of(day) AS week, customer_id, sku_id,
        (sum(millionths) FILTER (WHERE negative = 0))::HUGEINT AS millionths
    FROM sell_through_part
    GROUP BY ALL
),
closing AS (
    SELECT week_of(local_day(counted_at)) AS week, customer_id, sku_id, arg_max(qty, counted_at) AS qty
    FROM stock_count
    GROUP BY ALL
),
cover AS (
    SELECT *, (week + 7)::DATE AS end_day, 7 * 1000000 * qty::HUGEINT AS stock_days
    FROM sold
    JOIN closing USING (week, customer_id, sku_id)
)
SELECT
    'W1' AS window_kind,
    instant(day_start(week)) AS window_start,
    instant(day_start(end_day)) AS window_end,
    c.customer_id,
    sku_id,
    coalesce(v.territory_id, 'UNKNOWN') AS territory_id,
    coalesce(v.class_id, 'UNKNOWN') AS class_id,
    qty AS closing_stock_qty,
    decimal6(millionths) AS sell_through_qty,
    CASE WHEN millionths > 0 THEN qty * 1e6 / millionths END::DOUBLE AS ssr_ratio,
    CASE WHEN millionths > 0 THEN stock_days / millionths END::DOUBLE AS days_of_cover,
    CASE
        WHEN millionths IS NULL OR millionths = 0 THEN NULL
        WHEN stock_days < 5 * millionths THEN 'LOW'
        WHEN stock_days <= 21 * millionths THEN 'NORMAL'
        ELSE 'HIGH'
    END AS band,
    CASE WHEN millionths IS NOT NULL THEN millionths = 0 AND qty > 0 END AS no_sales,
    1::BIGINT AS n
FROM cover c
LEFT JOIN customer_version v
    ON v.customer_id = c.customer_id AND v.valid_from < day_start(end_day) AND day_start(end_day) <= v.valid_until
WHERE closed(end_day);
