-- To the public grain. A customer lives in one shard, so distinct customers and orders of all shards add up. An order's requested
-- lines count at one instant, so for a SKU they are in one row of the panes: rows that count are orders. Distinct customers are counted
-- by summing up per customer first; COUNT(DISTINCT …) would keep a set of strings for each row.
WITH by_customer AS (
  SELECT
    sku_id,
    territory_id,
    class_id,
    customer_id,
    SUM(requested_qty) AS requested_qty,
    SUM(requested_fen) AS requested_fen,
    SUM(allocated_qty) AS allocated_qty,
    SUM(allocated_fen) AS allocated_fen,
    SUM(delivered_qty) AS delivered_qty,
    SUM(delivered_fen) AS delivered_fen,
    SUM(returned_qty) AS returned_qty,
    SUM(returned_fen) AS returned_fen,
    SUM(cancelled_qty) AS cancelled_qty,
    SUM(cancelled_fen) AS cancelled_fen,
    SUM(unmet_qty) AS unmet_qty,
    SUM(unpriced_qty) AS unpriced_qty,
    SUM(emergency_requested_qty) AS emergency_requested_qty,
    SUM(CASE WHEN counting_lines > 0 THEN 1 ELSE 0 END) AS orders,
    SUM(CASE WHEN censored_lines > 0 THEN 1 ELSE 0 END) AS censored_orders_n,
    SUM(n) AS n
  FROM panes.demand_orders
  WHERE pane >= $window_start_date AND pane < $window_end_date
  GROUP BY sku_id, territory_id, class_id, customer_id
)
SELECT
  sku_id,
  territory_id,
  class_id,
  SUM(requested_qty) AS requested_qty,
  SUM(requested_fen) AS requested_fen,
  SUM(allocated_qty) AS allocated_qty,
  SUM(allocated_fen) AS allocated_fen,
  SUM(delivered_qty) AS delivered_qty,
  SUM(delivered_fen) AS delivered_fen,
  SUM(returned_qty) AS returned_qty,
  SUM(returned_fen) AS returned_fen,
  SUM(cancelled_qty) AS cancelled_qty,
  SUM(cancelled_fen) AS cancelled_fen,
  SUM(unmet_qty) AS unmet_qty,
  SUM(unpriced_qty) AS unpriced_qty,
  SUM(emergency_requested_qty) AS emergency_requested_qty,
  SUM(orders) AS orders,
  SUM(CASE WHEN orders > 0 THEN 1 ELSE 0 END) AS customers,
  SUM(censored_orders_n) AS censored_orders_n,
  SUM(n) AS n
FROM by_customer
GROUP BY sku_id, territory_id, class_id
HAVING SUM(n) > 0
