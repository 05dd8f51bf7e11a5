-- K16. "The span" is the 28 days before the window's end; a W1 window is its last week.
--
--   q  weight     sell-through of the window, also 0 | delivered in the window | 1
--   p  price      own latest SELLING in the span | median of the territory's retailers' latest there | suggested at the end
--   c  unit cost  deliveries of the span, by quantity | wholesale list price at the end
--
-- A row for each retailer and SKU counted or delivered in the span. Without p or c the row is in no sum: sales_fen and
-- cost_fen are both NULL, so that the sum of the rows gives the figures of the retailer (K37). UNKNOWN is no territory: its retailers have no median (K35).
WITH counted AS (
  SELECT customer_id, sku_id, SUM(n) AS n
  FROM panes.stock_to_sales
  WHERE pane >= $window_end_date - INTERVAL '28 days' AND pane < $window_end_date
  GROUP BY customer_id, sku_id
  HAVING SUM(n) > 0
),
delivered AS (
  SELECT
    customer_id,
    sku_id,
    SUM(CASE WHEN pane >= $window_start_date THEN delivered_qty ELSE 0 END) AS qty_in_window,
    div_half_up(SUM(delivered_fen), SUM(delivered_priced_qty)) AS unit_cost_fen,
    SUM(delivering_lines) AS n
  FROM panes.demand_orders
  WHERE pane >= $window_end_date - INTERVAL '28 days' AND pane < $window_end_date
  GROUP BY customer_id, sku_id
  HAVING SUM(delivering_lines) > 0
),
sold AS (
  SELECT customer_id, sku_id, SUM(sell_through_qty) AS qty, SUM(n) AS n
  FROM panes.sell_through
  WHERE pane >= $window_start_date AND pane < $window_end_date
  GROUP BY customer_id, sku_id
  HAVING SUM(parts_n) > 0
),
latest AS (
  SELECT
    customer_id,
    sku_id,
    CAST(price_fen AS DECIMAL(38, 6)) AS price_fen,
    ROW_NUMBER() OVER (PARTITION BY customer_id, sku_id ORDER BY pane DESC) AS from_last
  FROM panes.retailer_margin_by_sku
  WHERE pane >= $window_end_date - INTERVAL '28 days' AND pane < $window_end_date AND n > 0
),
own_price AS (
  SELECT customer_id, sku_id, price_fen FROM latest WHERE from_last = 1
),
territory_price AS (
  SELECT
    customer.territory_id,
    own_price.sku_id,
    median_exact(own_price.price_fen) AS price_fen
  FROM own_price
  JOIN asof.customer AS customer ON customer.customer_id = own_price.customer_id
  WHERE customer.territory_id <> 'UNKNOWN'
  GROUP BY customer.territory_id, own_price.sku_id
),
list_price AS (
  SELECT
    sku_id,
    region_code,
    CAST(MAX(CASE WHEN price_type = 'SUGGESTED_RETAIL' THEN price_fen END) AS DECIMAL(38, 6)) AS suggested_fen,
    CAST(MAX(CASE WHEN price_type = 'WHOLESALE' THEN price_fen END) AS DECIMAL(38, 6)) AS wholesale_fen
  FROM asof.list_price
  GROUP BY sku_id, region_code
),
carried AS (
  SELECT
    pair.customer_id,
    pair.sku_id,
    COALESCE(customer.territory_id, 'UNKNOWN') AS territory_id,
    COALESCE(customer.class_id, 'UNKNOWN') AS class_id,
    COALESCE(customer.region_code, 'UNKNOWN') AS region_code
  FROM (
    SELECT customer_id, sku_id FROM counted
    UNION
    SELECT customer_id, sku_id FROM delivered
  ) AS pair
  LEFT JOIN asof.customer AS customer ON customer.customer_id = pair.customer_id
),
found AS (
  SELECT
    carried.customer_id,
    carried.sku_id,
    carried.territory_id,
    carried.class_id,
    CASE
      WHEN sold.qty IS NOT NULL THEN sold.qty
      WHEN delivered.qty_in_window > 0 THEN CAST(delivered.qty_in_window AS DECIMAL(38, 6))
      ELSE CAST(1 AS DECIMAL(38, 6))
    END AS weight_qty,
    CASE
      WHEN sold.qty IS NOT NULL THEN 'SELL_THROUGH'
      WHEN delivered.qty_in_window > 0 THEN 'DELIVERED'
      ELSE 'CARRIED'
    END AS weight_source,
    own_price.price_fen AS own_fen,
    territory_price.price_fen AS territory_fen,
    COALESCE(regional.suggested_fen, general.suggested_fen) AS suggested_fen,
    delivered.unit_cost_fen AS delivered_fen,
    COALESCE(regional.wholesale_fen, general.wholesale_fen) AS wholesale_fen,
    COALESCE(counted.n, 0) + COALESCE(delivered.n, 0) + COALESCE(sold.n, 0)
      + CASE WHEN own_price.price_fen IS NULL THEN 0 ELSE 1 END AS n
  FROM carried
  LEFT JOIN counted ON counted.customer_id = carried.customer_id AND counted.sku_id = carried.sku_id
  LEFT JOIN delivered ON delivered.customer_id = carried.customer_id AND delivered.sku_id = carried.sku_id
  LEFT JOIN sold ON sold.customer_id = carried.customer_id AND sold.sku_id = carried.sku_id
  LEFT JOIN own_price ON own_price.customer_id = carried.customer_id AND own_price.sku_id = carried.sku_id
  LEFT JOIN territory_price
    ON territory_price.territory_id = carried.territory_id AND territory_price.sku_id = carried.sku_id
  LEFT JOIN list_price AS regional
    ON regional.sku_id = carried.sku_id AND regional.region_code = carried.region_code
  LEFT JOIN list_price AS general ON general.sku_id = carried.sku_id AND general.region_code = 'ALL'
),
chosen AS (
  SELECT
    customer_id,
    sku_id,
    territory_id,
    class_id,
    weight_qty,
    weight_source,
    COALESCE(own_fen, territory_fen, suggested_fen) AS price_fen,
    CASE
      WHEN own_fen IS NOT NULL THEN 'OWN'
      WHEN territory_fen IS NOT NULL THEN 'TERRITORY'
      WHEN suggested_fen IS NOT NULL THEN 'SUGGESTED'
      ELSE 'NONE'
    END AS price_source,
    COALESCE(delivered_fen, wholesale_fen) AS unit_cost_fen,
    CASE
      WHEN delivered_fen IS NOT NULL THEN 'DELIVERIES'
      WHEN wholesale_fen IS NOT NULL THEN 'LIST'
      ELSE 'NONE'
    END AS cost_source,
    n
  FROM found
),
valued AS (
  SELECT
    *,
    CASE WHEN unit_cost_fen IS NOT NULL THEN mul_half_up(weight_qty, price_fen) END AS sales_fen,
    CASE WHEN price_fen IS NOT NULL THEN mul_half_up(weight_qty, unit_cost_fen) END AS cost_fen
  FROM chosen
)
SELECT
  customer_id,
  sku_id,
  territory_id,
  class_id,
  weight_qty,
  weight_source,
  price_fen,
  price_source,
  unit_cost_fen,
  cost_source,
  sales_fen,
  cost_fen,
  ratio(sales_fen - cost_fen, sales_fen) AS gm_ratio,
  n
FROM valued
