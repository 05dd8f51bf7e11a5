-- metric: M01 demand_orders
-- facts: order_lines
-- windows: D1, W1
-- clock: orders
--
-- Demand (订单需求): what retailers requested, and what was allocated, delivered, returned, cancelled and unmet. Quantities in base units, values in fen at wholesale price.
-- The operator applies K9 and K10; here its facts are only summed up by kind. Customer and order stay keys, so that distinct ones can
-- be counted at any grain, and so that M06 finds the deliveries of a retailer.
SELECT
  customer_id,
  order_id,
  sku_id,
  territory_id,
  class_id,
  SUM(CASE WHEN kind = 'REQUESTED' THEN qty ELSE 0 END) AS requested_qty,
  SUM(CASE WHEN kind = 'REQUESTED' THEN value_fen ELSE 0 END) AS requested_fen,
  SUM(CASE WHEN kind = 'ALLOCATED' THEN qty ELSE 0 END) AS allocated_qty,
  SUM(CASE WHEN kind = 'ALLOCATED' THEN value_fen ELSE 0 END) AS allocated_fen,
  SUM(CASE WHEN kind = 'DELIVERED' THEN qty ELSE 0 END) AS delivered_qty,
  SUM(CASE WHEN kind = 'DELIVERED' THEN value_fen ELSE 0 END) AS delivered_fen,
  SUM(CASE WHEN kind = 'RETURNED' THEN qty ELSE 0 END) AS returned_qty,
  SUM(CASE WHEN kind = 'RETURNED' THEN value_fen ELSE 0 END) AS returned_fen,
  SUM(CASE WHEN kind = 'CANCELLED' THEN qty ELSE 0 END) AS cancelled_qty,
  SUM(CASE WHEN kind = 'CANCELLED' THEN value_fen ELSE 0 END) AS cancelled_fen,
  SUM(CASE WHEN kind = 'UNMET' THEN qty ELSE 0 END) AS unmet_qty,
  SUM(unpriced_qty) AS unpriced_qty,
  SUM(CASE WHEN kind = 'REQUESTED' AND order_kind = 'EMERGENCY' THEN qty ELSE 0 END) AS emergency_requested_qty,
  SUM(counts_as_order) AS counting_lines,
  SUM(censored) AS censored_lines,
  -- what M06 reads: lines that brought goods, and how much of them has a value
  SUM(CASE WHEN kind = 'DELIVERED' AND qty > 0 THEN 1 ELSE 0 END) AS delivering_lines,
  SUM(CASE WHEN kind = 'DELIVERED' THEN qty - unpriced_qty ELSE 0 END) AS delivered_priced_qty
FROM facts.order_lines
GROUP BY customer_id, order_id, sku_id, territory_id, class_id
