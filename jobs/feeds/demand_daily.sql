-- Demand of one day per SKU and territory (需求日数据), from the rows of demand_orders (M01) of that day.
-- y is the requested quantity. Counted orders of the day say whether it is censored (K27); without one the column is NULL here, and
-- reference data decide, as on days without a row. A series begins with its first day of demand. Its name joins two ids, each with | and
-- % escaped (K42).
SELECT
  replace(replace(sku_id, '%', '%25'), '|', '%7C') || '|'
    || replace(replace(territory_id, '%', '%25'), '|', '%7C') AS unique_id,
  SUM(requested_qty) AS y,
  SUM(allocated_qty) AS y_allocated,
  SUM(delivered_qty) AS y_delivered,
  SUM(returned_qty) AS returned,
  SUM(unmet_qty) AS unmet_qty,
  CASE WHEN SUM(orders) > 0 THEN SUM(censored_orders_n) > 0 END AS censored,
  SUM(requested_qty) > 0 AS starts
FROM rows.demand_orders
GROUP BY sku_id, territory_id
