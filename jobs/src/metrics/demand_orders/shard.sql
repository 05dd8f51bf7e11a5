-- To the public grain. A customer lives in one shard, so distinct customers and orders of all shards add up. An order's requested
-- lines count at one instant, so they stand in one pane: no need to sum panes before asking whether there are any.
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
  -- an order is its customer's: two customers may use the same number (the length keeps the two texts apart)
  COUNT(DISTINCT CASE WHEN counting_lines > 0
    THEN CONCAT(CHARACTER_LENGTH(order_id), ':', order_id, customer_id) END) AS orders,
  COUNT(DISTINCT CASE WHEN counting_lines > 0 THEN customer_id END) AS customers,
  SUM(n) AS n
FROM panes.demand_orders
WHERE pane >= $window_start_date AND pane < $window_end_date
GROUP BY sku_id, territory_id, class_id
HAVING SUM(n) > 0
