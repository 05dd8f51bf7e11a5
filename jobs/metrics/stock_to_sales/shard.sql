-- K13: a row where a closing count and sell-through both exist (sell-through also where it is 0). Where all its intervals are negative,
-- all that follows from sales is NULL (K32). days = length of the window. Bands do not depend on the supply status. Dimensions as of the window's end (K8).
WITH closing AS (
  SELECT
    customer_id,
    sku_id,
    closing_stock_qty,
    n,
    ROW_NUMBER() OVER (PARTITION BY customer_id, sku_id ORDER BY pane DESC) AS from_last
  FROM panes.stock_to_sales
  WHERE pane >= $window_start_date AND pane < $window_end_date AND n > 0
),
sales AS (
  SELECT
    customer_id,
    sku_id,
    CASE WHEN SUM(parts_n) > 0 THEN SUM(sell_through_qty) END AS sell_through_qty,
    SUM(n) AS n
  FROM panes.sell_through
  WHERE pane >= $window_start_date AND pane < $window_end_date
  GROUP BY customer_id, sku_id
  HAVING SUM(n) > 0
),
measured AS (
  SELECT
    closing.customer_id,
    closing.sku_id,
    closing_stock_qty,
    sell_through_qty,
    ratio(
      closing_stock_qty * (CAST($window_end_date AS INT) - CAST($window_start_date AS INT)),
      sell_through_qty
    ) AS days_of_cover,
    closing.n + sales.n AS n
  FROM closing
  JOIN sales ON sales.customer_id = closing.customer_id AND sales.sku_id = closing.sku_id
  WHERE from_last = 1
)
SELECT
  measured.customer_id,
  measured.sku_id,
  COALESCE(customer.territory_id, 'UNKNOWN') AS territory_id,
  COALESCE(customer.class_id, 'UNKNOWN') AS class_id,
  closing_stock_qty,
  sell_through_qty,
  ratio(closing_stock_qty, sell_through_qty) AS ssr_ratio,
  days_of_cover,
  CASE
    WHEN days_of_cover < 5 THEN 'LOW'
    WHEN days_of_cover <= 21 THEN 'NORMAL'
    WHEN days_of_cover > 21 THEN 'HIGH'
  END AS band,
  CASE WHEN sell_through_qty IS NOT NULL THEN sell_through_qty = 0 AND closing_stock_qty > 0 END AS no_sales,
  n
FROM measured
LEFT JOIN asof.customer AS customer ON customer.customer_id = measured.customer_id
