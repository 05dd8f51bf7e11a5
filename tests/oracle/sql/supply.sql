-- K27: which orders asked for all that they could get.

CREATE MACRO day_end(day) AS day_start((day + 1)::DATE) - 1;  -- K8

-- A plan is for a class or ALL, and for an area or ALL; UNKNOWN is neither.
CREATE MACRO covers(planned, own) AS planned = 'ALL' OR (planned = own AND own <> 'UNKNOWN');

-- What each counted order asks for of a SKU, and who asks: class and area as of its placing. The area is the territory's, where that has
-- one.
CREATE TABLE asked AS
SELECT
    f.customer_id,
    f.order_id,
    f.sku_id,
    f.occurred_at AS placed_at,
    day_end(local_day(f.occurred_at)) AS day_end,
    f.class_id,
    coalesce(any_value(t.area_unit_id), any_value(v.area_unit_id), 'UNKNOWN') AS area_unit_id,
    sum(f.qty::HUGEINT) AS qty
FROM order_fact f
LEFT JOIN territory_version t
    ON t.territory_id = f.territory_id AND t.valid_from <= f.occurred_at AND f.occurred_at < t.valid_until
LEFT JOIN customer_version v
    ON v.customer_id = f.customer_id AND v.valid_from <= f.occurred_at AND f.occurred_at < v.valid_until
WHERE f.step = 'requested'
GROUP BY f.customer_id, f.order_id, f.sku_id, f.occurred_at, f.class_id;

-- The most specific plan: the class weighs more than the area.
CREATE TABLE plan_at_placing AS
SELECT a.customer_id, a.order_id, a.sku_id, arg_max(struct_pack(cap := p.cap_qty),
    CASE WHEN p.class_id = 'ALL' THEN 0 ELSE 2 END + CASE WHEN p.area_unit_id = 'ALL' THEN 0 ELSE 1 END).cap AS cap_qty
FROM asked a
JOIN plan_version p
    ON p.sku_id = a.sku_id AND covers(p.class_id, a.class_id) AND covers(p.area_unit_id, a.area_unit_id)
    AND p.valid_from <= a.placed_at AND a.placed_at < p.valid_until
GROUP BY ALL;

CREATE TABLE censored_order AS
SELECT customer_id, order_id, sku_id
FROM asked
JOIN plan_at_placing USING (customer_id, order_id, sku_id)
WHERE qty >= cap_qty
UNION
SELECT a.customer_id, a.order_id, a.sku_id
FROM asked a
JOIN sku_version s
    ON s.sku_id = a.sku_id AND s.supply_status = 'CONSTRAINED' AND s.valid_from <= a.day_end AND a.day_end < s.valid_until
WHERE NOT EXISTS (
    SELECT 1
    FROM plan_version p
    WHERE p.sku_id = a.sku_id AND covers(p.class_id, a.class_id) AND covers(p.area_unit_id, a.area_unit_id)
        AND p.valid_from <= a.day_end AND a.day_end < p.valid_until
);
