-- Demand of one day per SKU and territory (需求日数据), from the rows of demand_orders (M01) of that day.
-- y is the requested quantity; where supply cut it (unmet_qty > 0) it is a lower bound: censored.
-- A series begins with its first day of demand. Its name joins two ids, each with | and % escaped (K42).
SELECT
  replace(replace(sku_id, '%', '%25'), '|', '%7C') || '|'
    || replace(replace(territory_id, '%', '%25'), '|', '%7C') AS unique_id,
  SUM(requested_qty) AS y,
  SUM(allocated_qty) AS y_allocated,
  SUM(delivered_qty) AS y_delivered,
  SUM(returned_qty) AS returned,
  SUM(unmet_qty) > 0 AS censored,
  SUM(requested_qty) > 0 AS starts
FROM rows.demand_orders
GROUP BY sku_id, territory_id
