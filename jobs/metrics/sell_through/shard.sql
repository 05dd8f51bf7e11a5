-- A retailer and SKU whose dimensions changed between two intervals has a row for each. Without any valid interval the quantity is
-- NULL (K32).
SELECT
  customer_id,
  sku_id,
  territory_id,
  class_id,
  CASE WHEN SUM(parts_n) > 0 THEN SUM(sell_through_qty) END AS sell_through_qty,
  SUM(negative_intervals) AS negative_intervals,
  SUM(n) AS n
FROM panes.sell_through
WHERE pane >= $window_start_date AND pane < $window_end_date
GROUP BY customer_id, sku_id, territory_id, class_id
HAVING SUM(n) > 0
