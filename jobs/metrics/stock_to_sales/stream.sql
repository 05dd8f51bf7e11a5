-- metric: M03 stock_to_sales
-- facts: closing_stock
-- windows: W1
-- clock: orders, visits
-- look_ahead: 14d
--
-- Stock-to-sales ratio (存销比) = closing stock / sell-through of the window, and days of cover = closing stock / (sell-through / days).
-- The facts are each day's last count, one a day, so a pane holds that day's closing stock.
SELECT
  customer_id,
  sku_id,
  SUM(stock_qty) AS closing_stock_qty
FROM facts.closing_stock
GROUP BY customer_id, sku_id
