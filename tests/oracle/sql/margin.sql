-- M06 per retailer and SKU, and per retailer. Both window kinds end on Mondays and look at the same 28 days before
-- their end (K16); they differ in the days whose sales are the weight.

-- K14: selling prices seen at a retailer, without those outside 0.3 to 3 times the suggested price of that instant.
CREATE TABLE selling_price AS
SELECT customer_id, sku_id, observed_at, stamp, price_fen
FROM (
    SELECT
        o.*,
        list_price_as_of(o.sku_id, v.region_code, 'SUGGESTED_RETAIL', o.observed_at) AS suggested_fen
    FROM prices o
    LEFT JOIN customer_version v
        ON v.customer_id = o.customer_id AND v.valid_from <= o.observed_at AND o.observed_at < v.valid_until
    WHERE o.event_type = 'price.observed' AND o.price_basis = 'SELLING'
)
WHERE suggested_fen IS NULL
    OR (10 * price_fen::HUGEINT >= 3 * suggested_fen::HUGEINT AND price_fen::HUGEINT <= 3 * suggested_fen::HUGEINT);

CREATE TABLE delivery AS
SELECT *, local_day(occurred_at) AS day FROM order_fact WHERE step = 'delivered' AND qty > 0;

-- The Mondays at whose beginning a day is one of the 28 before.
CREATE MACRO following_ends(day) AS
    [(week_of(day) + 7)::DATE, (week_of(day) + 14)::DATE, (week_of(day) + 21)::DATE, (week_of(day) + 28)::DATE];

-- What a retailer carried: counted or delivered in the 28 days.
CREATE TABLE carried AS
WITH seen AS (
    SELECT customer_id, sku_id, local_day(counted_at) AS day FROM stock_count
    UNION
    SELECT customer_id, sku_id, day FROM delivery
)
SELECT DISTINCT customer_id, sku_id, unnest(following_ends(day)) AS end_day
FROM seen;

-- The purchase price paid, weighted by quantity, in millionths of a fen.
CREATE TABLE paid AS
SELECT
    customer_id, sku_id, end_day,
    round_half_up(sum(qty::HUGEINT * price_fen) * 1000000, sum(qty)) AS unit_cost
FROM (SELECT *, unnest(following_ends(day)) AS end_day FROM delivery WHERE price_fen IS NOT NULL)
GROUP BY ALL;

CREATE TABLE own_price AS
SELECT customer_id, sku_id, end_day, arg_max(price_fen, (observed_at, stamp)) AS price_fen
FROM (SELECT *, unnest(following_ends(local_day(observed_at))) AS end_day FROM selling_price)
GROUP BY ALL;

-- The median over a territory's retailers, in millionths; of an even number the mean of the middle two. K35: retailers
-- whose territory is unknown have no median.
CREATE TABLE territory_price AS
WITH sorted AS (
    SELECT
        v.territory_id, sku_id, end_day,
        list_sort(list(price_fen::HUGEINT)) AS price, count(*) AS retailers
    FROM own_price o
    JOIN customer_version v
        ON v.customer_id = o.customer_id AND v.valid_from < day_start(end_day) AND day_start(end_day) <= v.valid_until
    WHERE v.territory_id <> 'UNKNOWN'
    GROUP BY ALL
)
SELECT
    territory_id, sku_id, end_day,
    500000 * (price[(retailers + 1) // 2] + price[(retailers + 2) // 2]) AS price  -- lists count from 1
FROM sorted;

CREATE TABLE margin_window AS
SELECT 'W1' AS window_kind, 7 AS days UNION ALL SELECT 'H28', 28;

CREATE TABLE margin_sku AS
WITH sold AS (
    SELECT window_kind, customer_id, sku_id, end_day, sum(millionths) AS quantity
    FROM (SELECT *, unnest(following_ends(day)) AS end_day FROM sell_through_part WHERE negative = 0), margin_window
    WHERE day >= end_day - days
    GROUP BY ALL
),
received AS (
    SELECT window_kind, customer_id, sku_id, end_day, 1000000 * sum(qty)::HUGEINT AS quantity
    FROM (SELECT *, unnest(following_ends(day)) AS end_day FROM delivery), margin_window
    WHERE day >= end_day - days
    GROUP BY ALL
),
at_end AS (
    SELECT
        w.window_kind,
        (c.end_day - w.days)::DATE AS first_day,
        c.*,
        day_start(c.end_day) - 1 AS as_of,
        coalesce(v.territory_id, 'UNKNOWN') AS territory_id,
        coalesce(v.class_id, 'UNKNOWN') AS class_id,
        v.region_code
    FROM carried c
    CROSS JOIN margin_window w
    LEFT JOIN customer_version v
        ON v.customer_id = c.customer_id
        AND v.valid_from < day_start(c.end_day) AND day_start(c.end_day) <= v.valid_until
),
parts AS (
    SELECT
        a.*,
        coalesce(s.quantity, r.quantity, 1000000)::HUGEINT AS weight,
        CASE
            WHEN s.quantity IS NOT NULL THEN 'SELL_THROUGH'
            WHEN r.quantity IS NOT NULL THEN 'DELIVERED'
            ELSE 'CARRIED'
        END AS weight_source,
        1000000 * o.price_fen::HUGEINT AS own,
        t.price AS territory,
        1000000 * list_price_as_of(a.sku_id, a.region_code, 'SUGGESTED_RETAIL', a.as_of)::HUGEINT AS suggested,
        d.unit_cost AS paid,
        1000000 * list_price_as_of(a.sku_id, a.region_code, 'WHOLESALE', a.as_of)::HUGEINT AS listed
    FROM at_end a
    LEFT JOIN sold s USING (window_kind, customer_id, sku_id, end_day)
    LEFT JOIN received r USING (window_kind, customer_id, sku_id, end_day)
    LEFT JOIN own_price o USING (customer_id, sku_id, end_day)
    LEFT JOIN territory_price t USING (territory_id, sku_id, end_day)
    LEFT JOIN paid d USING (customer_id, sku_id, end_day)
),
chosen AS (
    SELECT
        *,
        coalesce(own, territory, suggested) AS price,
        CASE
            WHEN own IS NOT NULL THEN 'OWN'
            WHEN territory IS NOT NULL THEN 'TERRITORY'
            WHEN suggested IS NOT NULL THEN 'SUGGESTED'
            ELSE 'NONE'
        END AS price_source,
        coalesce(paid, listed) AS unit_cost,
        CASE WHEN paid IS NOT NULL THEN 'DELIVERIES' WHEN listed IS NOT NULL THEN 'LIST' ELSE 'NONE' END AS cost_source
    FROM parts
)
-- K37: without a price or without a cost there is neither value.
SELECT
    *,
    price IS NOT NULL AND unit_cost IS NOT NULL AS is_whole,
    CASE WHEN is_whole THEN round_half_up(weight * price, 1000000) END AS sales,
    CASE WHEN is_whole THEN round_half_up(weight * unit_cost, 1000000) END AS cost
FROM chosen
WHERE closed(end_day);

CREATE TABLE retailer_margin_by_sku AS
SELECT
    window_kind,
    instant(day_start(first_day)) AS window_start,
    instant(day_start(end_day)) AS window_end,
    customer_id,
    sku_id,
    territory_id,
    class_id,
    decimal6(weight) AS weight_qty,
    weight_source,
    decimal6(price) AS price_fen,
    price_source,
    decimal6(unit_cost) AS unit_cost_fen,
    cost_source,
    decimal6(sales) AS sales_fen,
    decimal6(cost) AS cost_fen,
    CASE WHEN sales > 0 THEN (sales - cost) / sales END::DOUBLE AS gm_ratio,
    1::BIGINT AS n
FROM margin_sku;

-- Sums over the SKUs that have a price and a cost.
CREATE TABLE retailer_margin AS
WITH total AS (
    SELECT
        window_kind, first_day, end_day, customer_id, territory_id, class_id,
        coalesce(sum(sales) FILTER (WHERE is_whole), 0)::HUGEINT AS sales,
        coalesce(sum(cost) FILTER (WHERE is_whole), 0)::HUGEINT AS cost,
        count(*) FILTER (WHERE is_whole) AS skus_n,
        coalesce(sum(sales) FILTER (WHERE is_observed), 0)::HUGEINT AS observed_sales,
        coalesce(sum(cost) FILTER (WHERE is_observed), 0)::HUGEINT AS observed_cost,
        count(*) FILTER (WHERE is_observed) AS observed_skus_n,
        count(*) AS n
    FROM (
        SELECT
            *,
            is_whole AND price_source IN ('OWN', 'TERRITORY') AS is_observed
        FROM margin_sku
    )
    GROUP BY ALL
)
SELECT
    window_kind,
    instant(day_start(first_day)) AS window_start,
    instant(day_start(end_day)) AS window_end,
    customer_id,
    territory_id,
    class_id,
    decimal6(sales) AS sales_fen,
    decimal6(cost) AS cost_fen,
    skus_n,
    decimal6(observed_sales) AS observed_sales_fen,
    decimal6(observed_cost) AS observed_cost_fen,
    observed_skus_n,
    CASE WHEN sales > 0 THEN (sales - cost) / sales END::DOUBLE AS gm_ratio,
    CASE WHEN sales > 0 THEN (sales - cost) / sales - 0.10 END::DOUBLE AS distance_ratio,
    CASE
        WHEN sales = 0 THEN NULL
        WHEN 100 * (sales - cost) < 9 * sales THEN 'BELOW'
        WHEN 100 * (sales - cost) <= 11 * sales THEN 'ON_TARGET'
        ELSE 'ABOVE'
    END AS band,
    n
FROM total;
