-- metric: M02 sell_through
-- facts: sell_through
-- windows: W1
-- clock: orders, visits
-- look_ahead: 14d
--
-- Sales of retailers to consumers (社会销量), derived: stock + delivered − returned − stock at the next count (K12), split over the days
-- between by time (K11). The operator applies both; an interval may end up to 14 days after a window's end (K7).
SELECT
  customer_id,
  sku_id,
  territory_id,
  class_id,
  SUM(sell_through_qty) AS sell_through_qty,
  SUM(parts_n) AS parts_n,
  SUM(negative_intervals) AS negative_intervals
FROM facts.sell_through
GROUP BY customer_id, sku_id, territory_id, class_id
