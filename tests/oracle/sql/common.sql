-- What all metrics use: local days and windows, exact decimals, list prices and the valued order lines.

-- Instants are milliseconds UTC; days are days of the business zone.
CREATE MACRO local_day(ms) AS
    (make_timestamp(ms * 1000) AT TIME ZONE 'UTC' AT TIME ZONE getvariable('zone'))::DATE;
CREATE MACRO day_start(day) AS epoch_ms(day::TIMESTAMP AT TIME ZONE getvariable('zone'));
CREATE MACRO week_of(day) AS date_trunc('week', day)::DATE;  -- its Monday

-- K42: an id between bars.
CREATE MACRO in_list(id) AS replace(replace(id, '%', '%25'), '|', '%7C');

-- Tumbling windows of a day; the end is exclusive.
CREATE MACRO window_first(window_kind, day) AS CASE window_kind WHEN 'D1' THEN day ELSE week_of(day) END;
CREATE MACRO window_last(window_kind, first_day) AS
    (first_day + CASE window_kind WHEN 'D1' THEN 1 ELSE 7 END)::DATE;
CREATE MACRO instant(ms) AS make_timestamp(ms * 1000) AT TIME ZONE 'UTC';
CREATE MACRO closed(end_day) AS day_start(end_day) <= getvariable('clock');

-- Split quantities and derived money are whole millionths (HUGEINT) until they are written; numbers are not negative.
CREATE MACRO round_half_up(numerator, denominator) AS
    (2 * numerator::HUGEINT + denominator::HUGEINT) // (2 * denominator::HUGEINT);
-- K25: what leaves DECIMAL(38, 6) is NULL.
CREATE MACRO decimal6(millionths) AS
    try_cast(millionths // 1000000 AS DECIMAL(38, 6)) + (millionths % 1000000)::DECIMAL(6, 0) * 0.000001::DECIMAL(6, 6);

-- K19: in its region a list price holds until the next one begins, or until its own end if that is earlier.
-- Of two that begin together the later stamp holds. A price without a region is for ALL, one for a region that nobody can name
-- (K29) is for none.
CREATE TABLE list_price AS
SELECT
    sku_id,
    region,
    price_type,
    valid_from,
    least(
        coalesce(valid_to, getvariable('end_of_time')),
        lead(valid_from, 1, getvariable('end_of_time')) OVER (
            PARTITION BY sku_id, region, price_type ORDER BY valid_from
        )
    ) AS valid_until,
    price_fen
FROM (
    SELECT *, coalesce(region_code, 'ALL') AS region
    FROM prices
    WHERE event_type = 'price.list_set' AND region_code IS DISTINCT FROM 'UNKNOWN'
    QUALIFY row_number() OVER (PARTITION BY sku_id, region, price_type, valid_from ORDER BY stamp DESC) = 1
);

CREATE MACRO list_price_in(sku, in_region, kind, ms) AS (
    SELECT max(p.price_fen)  -- at most one
    FROM list_price p
    WHERE p.sku_id = sku AND p.region = in_region AND p.price_type = kind AND p.valid_from <= ms AND ms < p.valid_until
);
-- A region's price beats the one for ALL.
CREATE MACRO list_price_as_of(sku, in_region, kind, ms) AS
    coalesce(list_price_in(sku, in_region, kind, ms), list_price_in(sku, 'ALL', kind, ms));

-- The order: its first placing, first allocation and first cancellation.
CREATE TABLE order_summary AS
SELECT
    customer_id,
    order_id,
    min(occurred_at) FILTER (WHERE event_type = 'order.placed') AS placed_at,  -- its stamp is the lowest, too
    arg_min(order_kind, stamp) FILTER (WHERE event_type = 'order.placed' AND order_kind IS NOT NULL) AS order_kind,
    min(stamp) FILTER (WHERE event_type = 'order.allocated') AS allocated_stamp,
    min(occurred_at) FILTER (WHERE event_type = 'order.allocated') AS allocated_at,
    min(occurred_at) FILTER (WHERE event_type = 'order.cancelled') AS cancelled_at,
    -- K26: the first cancellation says whether it was supply that failed
    arg_min(coalesce(cancel_reason = 'SUPPLY_LIMIT', false), stamp) FILTER (WHERE event_type = 'order.cancelled')
        AS is_cut_by_supply
FROM orders
GROUP BY customer_id, order_id;

-- K9: the counted version is the last one before the first allocation; without an allocation, the last of all.
-- K26: what supply cut is no version.
CREATE TABLE counted_version AS
SELECT o.customer_id, o.order_id, max(o.stamp) AS stamp
FROM orders o
JOIN order_summary s USING (customer_id, order_id)
WHERE (o.event_type = 'order.placed' OR o.event_type = 'order.amended' AND o.amend_reason IS DISTINCT FROM 'SUPPLY_LIMIT')
    AND (s.allocated_stamp IS NULL OR o.stamp < s.allocated_stamp)
GROUP BY o.customer_id, o.order_id;

CREATE TABLE counted_line AS
SELECT v.customer_id, v.order_id, l.*
FROM counted_version v
JOIN order_lines l USING (stamp);

-- One row per line and step that counts, at the instant at which it counts.
CREATE TABLE order_fact AS
WITH own_event AS (
    SELECT o.event_type, o.customer_id, o.order_id, o.occurred_at, o.stamp, l.* EXCLUDE (stamp)
    FROM orders o
    JOIN order_lines l USING (stamp)
),
allocated_line AS (
    SELECT o.customer_id, o.order_id, o.line_no, sum(o.allocated_qty) AS qty
    FROM own_event o
    JOIN order_summary s USING (customer_id, order_id)
    WHERE o.stamp = s.allocated_stamp
    GROUP BY ALL
),
requested_line AS (
    SELECT customer_id, order_id, line_no, arg_max(sku_id, item_index) AS sku_id, sum(requested_qty) AS qty
    FROM counted_line
    GROUP BY ALL
),
step AS (
    -- A cancelled order's request leaves, whenever it is cancelled, unless supply was short; without its placing it has no
    -- instant.
    SELECT 'requested' AS step, l.customer_id, l.order_id, l.line_no, l.sku_id, l.requested_qty AS qty,
        l.wholesale_price_fen AS own_price_fen, s.placed_at AS occurred_at, l.stamp, l.item_index,
        coalesce(s.order_kind = 'EMERGENCY', false) AS is_emergency
    FROM counted_line l
    JOIN order_summary s USING (customer_id, order_id)
    WHERE s.placed_at IS NOT NULL AND (s.cancelled_at IS NULL OR s.is_cut_by_supply)
    UNION ALL
    SELECT 'cancelled', l.customer_id, l.order_id, l.line_no, l.sku_id, l.requested_qty,
        l.wholesale_price_fen, s.cancelled_at, l.stamp, l.item_index, false
    FROM counted_line l
    JOIN order_summary s USING (customer_id, order_id)
    WHERE s.cancelled_at IS NOT NULL
    UNION ALL
    SELECT 'allocated', customer_id, order_id, line_no, sku_id, allocated_qty,
        wholesale_price_fen, occurred_at, stamp, item_index, false
    FROM own_event WHERE event_type = 'order.allocated'
    UNION ALL
    SELECT 'delivered', customer_id, order_id, line_no, sku_id, delivered_qty,
        wholesale_price_fen, occurred_at, stamp, item_index, false
    FROM own_event WHERE event_type = 'order.delivered'
    UNION ALL
    SELECT 'returned', customer_id, order_id, line_no, sku_id, returned_qty,
        wholesale_price_fen, occurred_at, stamp, item_index, false
    FROM own_event WHERE event_type = 'order.returned'
    UNION ALL
    -- K10, at the first allocation, where something is short. It has no value.
    SELECT 'unmet', r.customer_id, r.order_id, r.line_no, r.sku_id, r.qty - coalesce(a.qty, 0),
        0, s.allocated_at, NULL, NULL, false
    FROM requested_line r
    JOIN order_summary s USING (customer_id, order_id)
    LEFT JOIN allocated_line a USING (customer_id, order_id, line_no)
    WHERE s.allocated_at IS NOT NULL AND r.qty > coalesce(a.qty, 0)
),
counted_price AS (
    SELECT customer_id, order_id, line_no, arg_max(wholesale_price_fen, item_index) AS price_fen
    FROM counted_line
    WHERE wholesale_price_fen IS NOT NULL
    GROUP BY ALL
)
SELECT
    f.* EXCLUDE (own_price_fen),
    coalesce(v.class_id, 'UNKNOWN') AS class_id,
    coalesce(v.territory_id, 'UNKNOWN') AS territory_id,
    -- K10: its own price, that of the counted version, the list price; NULL: unpriced
    coalesce(
        f.own_price_fen, p.price_fen, list_price_as_of(f.sku_id, v.region_code, 'WHOLESALE', f.occurred_at)
    ) AS price_fen
FROM step f
LEFT JOIN counted_price p USING (customer_id, order_id, line_no)
LEFT JOIN customer_version v
    ON v.customer_id = f.customer_id AND v.valid_from <= f.occurred_at AND f.occurred_at < v.valid_until;
