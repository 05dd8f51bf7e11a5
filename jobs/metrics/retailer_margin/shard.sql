-- metric: M06 retailer_margin
-- windows: W1, H28
-- clock: orders, visits, prices
-- look_back: 28d
-- look_ahead: 14d
--
-- Retail gross margin (零售毛利率) of a retailer over its SKUs, and its distance to the target of 10 % (000-R20):
-- gm = (Σ sales − Σ cost) / Σ sales over SKUs with a price and a cost. "Observed" are those whose price was observed, at the
-- retailer (OWN) or in its territory; alert rule A01 reads only these (K22). Bands: 9 % and 11 % are on target.
WITH summed AS (
  SELECT
    customer_id,
    territory_id,
    class_id,
    COALESCE(SUM(sales_fen), 0) AS sales_fen,
    COALESCE(SUM(cost_fen), 0) AS cost_fen,
    COUNT(sales_fen) AS skus_n,
    COALESCE(SUM(CASE WHEN is_observed THEN sales_fen END), 0) AS observed_sales_fen,
    COALESCE(SUM(CASE WHEN is_observed THEN cost_fen END), 0) AS observed_cost_fen,
    COUNT(CASE WHEN is_observed THEN sales_fen END) AS observed_skus_n,
    SUM(n) AS n
  FROM (SELECT *, price_source IN ('OWN', 'TERRITORY') AS is_observed FROM rows.retailer_margin_by_sku) AS sku
  GROUP BY customer_id, territory_id, class_id
),
measured AS (
  SELECT *, ratio(sales_fen - cost_fen, sales_fen) AS gm_ratio FROM summed
)
SELECT
  customer_id,
  territory_id,
  class_id,
  CAST(sales_fen AS DECIMAL(38, 6)) AS sales_fen,
  CAST(cost_fen AS DECIMAL(38, 6)) AS cost_fen,
  skus_n,
  CAST(observed_sales_fen AS DECIMAL(38, 6)) AS observed_sales_fen,
  CAST(observed_cost_fen AS DECIMAL(38, 6)) AS observed_cost_fen,
  observed_skus_n,
  gm_ratio,
  gm_ratio - 0.1 AS distance_ratio,
  CASE
    WHEN gm_ratio < 0.09 THEN 'BELOW'
    WHEN gm_ratio <= 0.11 THEN 'ON_TARGET'
    WHEN gm_ratio > 0.11 THEN 'ABOVE'
  END AS band,
  n
FROM measured
