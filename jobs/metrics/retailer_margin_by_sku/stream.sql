-- metric: M06 retailer_margin_by_sku
-- facts: price_observations
-- windows: W1, H28
-- clock: orders, visits, prices
-- look_back: 28d
-- look_ahead: 14d
-- scope: global
--
-- Retail gross margin (零售毛利率) of a retailer and SKU: gm = (q p − q c) / q p, over quantity q, selling price p, unit cost c, each with
-- its fall-backs (K16, in shard.sql). A pane holds the day's last valid selling price; all retailers' panes are in every shard,
-- because the territory's median needs them.
SELECT
  customer_id,
  sku_id,
  SUM(price_fen) AS price_fen
FROM facts.price_observations
WHERE is_last_of_day
GROUP BY customer_id, sku_id
