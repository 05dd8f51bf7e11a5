//! The queries of a demo: the sections of its report, and queries to paste.

/// A query with its heading.
pub(super) struct TitledQuery {
    pub(super) title: &'static str,
    pub(super) sql: &'static str,
    /// Printed instead of an empty table.
    pub(super) if_empty: &'static str,
}

/// The sections of the report. Every table fits a terminal of 80 columns.
pub(super) const FINDINGS: [TitledQuery; 4] = [
    TitledQuery {
        title: "Demand of the last day with orders: the five most requested SKUs",
        sql: "\
SELECT sku_id, sum(requested_qty) AS requested_qty,
  sum(unmet_qty) AS unmet_qty, sum(delivered_qty) AS delivered_qty,
  CAST(sum(requested_fen) / 100 AS BIGINT) AS requested_yuan
FROM demand_orders
WHERE window_kind = 'D1' AND window_start = (
  SELECT max(window_start) FROM demand_orders
  WHERE window_kind = 'D1' AND requested_qty > 0)
GROUP BY sku_id ORDER BY requested_qty DESC, sku_id LIMIT 5",
        if_empty: "no orders yet",
    },
    TitledQuery {
        title: "Retail margin over four weeks: the five lowest (target 10 %)",
        sql: "\
SELECT customer_id, territory_id, observed_skus_n AS skus_n,
  round(100 * gm_ratio, 2) AS margin_percent, band
FROM retailer_margin
WHERE window_kind = 'H28' AND observed_skus_n >= 5 AND window_end = (
  SELECT window_end FROM retailer_margin WHERE window_kind = 'H28'
  GROUP BY window_end ORDER BY sum(n) DESC, window_end LIMIT 1)
ORDER BY gm_ratio, customer_id LIMIT 5",
        if_empty: "no retailer with five observed prices yet",
    },
    TitledQuery {
        title: "Satisfaction, newest week (trend: points a week, from six weeks on)",
        sql: "\
SELECT unit_id, sum(answers_n) AS answers_n, sum(satisfied_n) AS satisfied_n,
  round(100.0 * sum(satisfied_n) / sum(answers_n), 1) AS csat_percent,
  round(avg(slope_per_week), 2) AS trend
FROM satisfaction
WHERE window_kind = 'W1' AND question_id = 'Q0' AND window_end = (
  SELECT max(window_end) FROM satisfaction WHERE window_kind = 'W1')
GROUP BY unit_id ORDER BY unit_id",
        if_empty: "no answers yet",
    },
    TitledQuery {
        title: "Time limits of service cases, all weeks: the five least kept",
        sql: "\
SELECT step_id, sum(met_n) AS met_n, sum(breached_n) AS breached_n,
  round(100.0 * sum(met_n) / nullif(sum(met_n) + sum(breached_n), 0), 1)
    AS kept_percent
FROM sla_compliance
WHERE window_kind = 'W1'
GROUP BY step_id ORDER BY kept_percent, step_id LIMIT 5",
        if_empty: "no cases yet",
    },
];

/// Queries to paste. They contain no character that a shell changes between double quotes.
pub(super) const TO_TRY: [&str; 4] = [
    "\
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema <> 'information_schema' ORDER BY 1, 2",
    "\
SELECT window_start, sum(requested_qty) AS requested_qty,
  sum(delivered_qty) AS delivered_qty
FROM demand_orders WHERE window_kind = 'D1'
GROUP BY window_start ORDER BY window_start",
    "\
SELECT unique_id, ds, y, y_delivered, is_zero_filled
FROM feeds.demand_daily ORDER BY y DESC LIMIT 10",
    "\
SELECT transitioned_at, rule_id, severity, state, subject
FROM ops.alerts ORDER BY transitioned_at DESC LIMIT 10",
];
