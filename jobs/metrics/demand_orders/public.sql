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
  SUM(customers) AS customers,
  SUM(censored_orders_n) AS censored_orders_n,
  SUM(n) AS n
FROM parts.demand_orders
GROUP BY sku_id, territory_id, class_id
